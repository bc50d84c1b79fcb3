#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>

#include "common/base/files.h"
#include "worker/brainscales2/fake/fake_chip.h"
#include "worker/brainscales2/recording.h"

namespace inferon::worker {
namespace {

// What an experiment was made with.
using Key = std::string;

// A recorded experiment.
struct Recorded {
  std::vector<std::uint16_t> value;
  std::vector<std::int32_t> time;
  std::vector<std::int32_t> spikes;
};

Key KeyOf(const BatchRequest& batch, std::uint32_t row) {
  std::map<std::string, std::uint16_t> values;
  const std::size_t columns = batch.fields.size();
  for (std::size_t i = 0; i < columns; ++i) {
    values[batch.fields[i]] = batch.codes[row * columns + i];
  }
  Key key = fmt::format("{}", batch.duration_cycles);
  for (const auto& [on, off] : batch.steps_cycles) key += fmt::format(" {}-{}", on, off);
  for (const auto& [field, value] : values) key += fmt::format(" {}={}", field, value);
  return key;
}

Result<WireFrame> ReadFrame(const std::filesystem::path& path) {
  const Result<std::string> text = ReadFile(path, kMaxWireBytes);
  if (!text) return tl::unexpected(text.error());
  std::uint32_t length = 0;
  if (text->size() < sizeof length) return Fail(ErrorCode::kDataLoss, path.string() + " is cut");
  std::memcpy(&length, text->data(), sizeof length);
  if (length != text->size() - sizeof length) {
    return Fail(ErrorCode::kDataLoss, path.string() + " is not one frame");
  }
  auto bytes = std::make_unique_for_overwrite<char[]>(length);
  std::memcpy(bytes.get(), text->data() + sizeof length, length);
  return DecodeWire(std::move(bytes), length);
}

class ReplayChip : public FakeChip {
 public:
  Status Load(const std::filesystem::path& folder, Hello& hello) {
    std::vector<std::filesystem::path> requests;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
      if (entry.path().extension() == ".request") requests.push_back(entry.path());
    }
    std::sort(requests.begin(), requests.end());
    for (const auto& path : requests) {
      const auto request = ReadFrame(path);
      if (!request) return tl::unexpected(request.error());
      const auto reply = ReadFrame(std::filesystem::path(path).replace_extension(".reply"));
      if (!reply) return tl::unexpected(reply.error());
      if (Status kept = Keep(*request, *reply, hello); !kept) return kept;
    }
    if (!experiments_.empty()) return {};
    return Fail(ErrorCode::kNotFound, fmt::format("{} has no recorded batch", folder.string()),
                "Record one with 'bss2_child.py --self-test --record DIR'");
  }

  Result<BatchReply> Run(const OpenRequest&, const BatchRequest& batch) override {
    BatchReply reply{.experiments = static_cast<std::uint32_t>(batch.rows.size())};
    for (const std::uint32_t row : batch.rows) {
      const Key key = KeyOf(batch, row);
      const auto found = experiments_.find(key);
      if (found == experiments_.end()) {
        return Fail(ErrorCode::kNotFound, "the recording has no experiment with " + key,
                    "Ask for what was recorded");
      }
      const Recorded& one = found->second[turns_[key]++ % found->second.size()];
      reply.sample_value.insert(reply.sample_value.end(), one.value.begin(), one.value.end());
      reply.sample_time.insert(reply.sample_time.end(), one.time.begin(), one.time.end());
      reply.sample_count.push_back(static_cast<std::uint32_t>(one.value.size()));
      reply.spike_time.insert(reply.spike_time.end(), one.spikes.begin(), one.spikes.end());
      reply.spike_count.push_back(static_cast<std::uint32_t>(one.spikes.size()));
    }
    return reply;
  }

 private:
  Status Keep(const WireFrame& request, const WireFrame& reply, Hello& hello) {
    if (request.Type() == "hello") {
      if (reply.Type() == "error") return {};
      const Result<Hello> recorded = DecodeHello(reply);
      if (!recorded) return tl::unexpected(recorded.error());
      hello = *recorded;
      return {};
    }
    if (request.Type() != "run_batch") return {};
    const Result<BatchRequest> asked = DecodeBatchRequest(request);
    if (!asked) return tl::unexpected(asked.error());
    if (reply.Type() == "error") return {};  // A test that failed has nothing to replay.
    const Result<BatchReply> got = DecodeBatch(reply);
    if (!got) return tl::unexpected(got.error());
    if (Status fits = CheckBatchReply(*got, *asked); !fits) return fits;
    std::size_t sample = 0, spike = 0;
    for (std::size_t i = 0; i < asked->rows.size(); ++i) {
      const auto samples = static_cast<std::ptrdiff_t>(sample);
      const auto spikes = static_cast<std::ptrdiff_t>(spike);
      Recorded one;
      one.value.assign(got->sample_value.begin() + samples,
                       got->sample_value.begin() + samples + got->sample_count[i]);
      one.time.assign(got->sample_time.begin() + samples,
                      got->sample_time.begin() + samples + got->sample_count[i]);
      one.spikes.assign(got->spike_time.begin() + spikes,
                        got->spike_time.begin() + spikes + got->spike_count[i]);
      experiments_[KeyOf(*asked, asked->rows[i])].push_back(std::move(one));
      sample += got->sample_count[i];
      spike += got->spike_count[i];
    }
    return {};
  }

  std::map<Key, std::vector<Recorded>> experiments_;
  std::map<Key, std::size_t> turns_;
};

}  // namespace

Result<std::unique_ptr<FakeChip>> MakeReplayChip(const std::string& folder, Hello& recorded) {
  auto chip = std::make_unique<ReplayChip>();
  if (Status loaded = chip->Load(folder, recorded); !loaded) {
    return tl::unexpected(loaded.error());
  }
  return std::unique_ptr<FakeChip>(std::move(chip));
}

}  // namespace inferon::worker
