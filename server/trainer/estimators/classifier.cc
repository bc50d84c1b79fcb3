// Storage and inference of the classifier; no LibTorch here.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "common/base/files.h"
#include "server/trainer/estimators/classifier_scorer.h"
#include "server/trainer/estimators/classifier_storage.h"

namespace inferon::estimators {
namespace {

using Json = nlohmann::json;

constexpr int kSchema = 1;
constexpr const char* kKind = "residual-classifier";

class ResidualClassifier : public Classifier {
 public:
  ResidualClassifier(ClassifierOptions options, TensorFile file,
                     std::vector<ResidualScorer> members)
      : options_(options), file_(std::move(file)), members_(std::move(members)) {}

  std::size_t dimension() const override { return options_.dimension; }

  std::vector<float> Score(MatrixView theta) const override {
    INFERON_CHECK(theta.columns == options_.dimension);
    std::vector<float> scores(theta.rows, 0);
    for (const ResidualScorer& member : members_) member.AddProbabilities(theta, scores.data());
    const auto count = static_cast<float>(members_.size());
    for (float& score : scores) score /= count;
    return scores;
  }

  std::string Save(const std::filesystem::path& weights) const override {
    WriteFileAtomically(weights, EncodeTensors(file_));
    return Json{{"schema", kSchema},
                {"kind", kKind},
                {"dimension", options_.dimension},
                {"hidden", options_.hidden},
                {"blocks", options_.blocks},
                {"members", options_.members}}
        .dump();
  }

 private:
  ClassifierOptions options_;
  TensorFile file_;
  std::vector<ResidualScorer> members_;
};

tl::unexpected<Error> BadArchitecture(const std::string& what) {
  return Fail(ErrorCode::kDataLoss, "the classifier's architecture is damaged: " + what,
              "restore model.json from a copy or train the model again");
}

Result<ClassifierOptions> OptionsFromJson(const std::string& text) {
  ClassifierOptions options;
  try {
    const Json json = Json::parse(text);
    if (json.at("kind") != kKind) return BadArchitecture("kind is not " + std::string(kKind));
    if (json.at("schema") != kSchema) {
      return BadArchitecture("schema is not " + std::to_string(kSchema));
    }
    options.dimension = json.at("dimension").get<std::size_t>();
    options.hidden = json.at("hidden").get<std::uint32_t>();
    options.blocks = json.at("blocks").get<std::uint32_t>();
    options.members = json.at("members").get<std::uint32_t>();
  } catch (const Json::exception& e) {
    return BadArchitecture(e.what());
  }
  if (auto status = CheckClassifierOptions(options); !status) {
    return BadArchitecture(status.error().message);
  }
  return options;
}

}  // namespace

Result<std::unique_ptr<Classifier>> MakeClassifier(const ClassifierOptions& options,
                                                   TensorFile file) {
  std::vector<ResidualScorer> members;
  for (std::uint32_t m = 0; m < options.members; ++m) {
    auto member = ResidualScorer::Load(file, options, m);
    if (!member) return tl::unexpected(member.error());
    members.push_back(std::move(*member));
  }
  return std::make_unique<ResidualClassifier>(options, std::move(file), std::move(members));
}

Result<std::unique_ptr<Classifier>> LoadClassifier(const std::string& architecture_json,
                                                   const std::filesystem::path& weights) {
  auto options = OptionsFromJson(architecture_json);
  if (!options) return tl::unexpected(options.error());
  auto file = ReadTensors(weights);
  if (!file) return tl::unexpected(file.error());
  return MakeClassifier(*options, std::move(*file));
}

}  // namespace inferon::estimators
