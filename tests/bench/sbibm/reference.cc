#include <bzlib.h>
#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <limits>

#include "common/base/files.h"
#include "tests/bench/sbibm/tasks.h"

namespace inferon::sbibm {
namespace {

constexpr std::size_t kMaxText = std::size_t{64} << 20;

Result<std::string> Decompress(const std::string& packed, const std::string& name) {
  std::string text(kMaxText, '\0');
  auto size = static_cast<unsigned>(text.size());
  const int code = BZ2_bzBuffToBuffDecompress(text.data(), &size, const_cast<char*>(packed.data()),
                                              static_cast<unsigned>(packed.size()), 0, 0);
  if (code != BZ_OK) {
    return Fail(ErrorCode::kDataLoss, fmt::format("{} is no whole bzip2 file", name),
                "Fetch it again");
  }
  text.resize(size);
  return text;
}

// Numbers below a header line, `columns` in each row.
Result<std::vector<double>> ParseRows(const std::string& text, std::size_t columns,
                                      const std::string& name) {
  std::vector<double> values;
  const char* at = text.data() + std::min(text.find('\n'), text.size());
  const char* const end = text.data() + text.size();
  while (at < end) {
    if (*at == '\n' || *at == '\r' || *at == ',') {
      ++at;
      continue;
    }
    double value = 0;
    const auto parsed = std::from_chars(at, end, value);
    if (parsed.ec != std::errc()) {
      return Fail(ErrorCode::kDataLoss, fmt::format("{} holds something else than numbers", name));
    }
    values.push_back(value);
    at = parsed.ptr;
  }
  if (values.empty() || values.size() % columns != 0) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("{} has {} numbers, not rows of {}", name, values.size(), columns));
  }
  return values;
}

Result<std::vector<double>> ReadRows(const std::filesystem::path& path, std::size_t columns) {
  auto text = ReadFile(path, kMaxText);
  if (text && path.extension() == ".bz2") text = Decompress(*text, path.string());
  if (!text) return tl::unexpected(text.error());
  return ParseRows(*text, columns, path.string());
}

}  // namespace

Result<Reference> ReadReference(const std::string& folder, const Task& task, int number) {
  const auto base =
      std::filesystem::path(folder) / task.name / fmt::format("num_observation_{}", number);
  const std::size_t d = task.prior.dimension();
  Reference reference;
  const auto x = ReadRows(base / "observation.csv", task.columns);
  if (!x) return tl::unexpected(x.error());
  reference.x.assign(x->begin(), x->begin() + static_cast<std::ptrdiff_t>(task.columns));
  auto truth = ReadRows(base / "true_parameters.csv", d);
  if (!truth) return tl::unexpected(truth.error());
  reference.true_theta = std::move(*truth);
  auto posterior = ReadRows(base / "reference_posterior_samples.csv.bz2", d);
  if (!posterior) return tl::unexpected(posterior.error());
  reference.posterior = std::move(*posterior);
  return reference;
}

}  // namespace inferon::sbibm
