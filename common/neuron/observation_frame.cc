// The observation frame: bytes <-> ObservationBatch.
#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "common/base/check.h"
#include "common/neuron/observation.h"

namespace inferon {
namespace {

using Json = nlohmann::json;

static_assert(std::endian::native == std::endian::little, "frames are copied without swapping");

constexpr std::string_view kMagic = "INFOBS1\n";
constexpr std::size_t kMaxHeader = std::size_t{1} << 20;
constexpr int kMaxJsonDepth = 32;
constexpr std::uint16_t kMaxCount = 1023;

auto Malformed(const std::string& what) {
  return Fail(ErrorCode::kDataLoss, "the observation frame is malformed: " + what,
              "Fetch it again; if it stays so, its source is damaged or of another version");
}

template <typename T>
void AppendBytes(std::string& out, const std::vector<T>& values) {
  const std::size_t bytes = values.size() * sizeof(T);
  if (bytes == 0) return;
  const std::size_t at = out.size();
  out.resize(at + bytes);
  std::memcpy(out.data() + at, values.data(), bytes);
}

// Moves the next `count` elements from the front of `bytes` into a vector; false when too few.
template <typename T>
bool TakeBytes(std::string_view& bytes, std::uint64_t count, std::vector<T>& values) {
  if (count > bytes.size() / sizeof(T)) return false;
  values.resize(static_cast<std::size_t>(count));
  if (count > 0) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(T));
  bytes.remove_prefix(values.size() * sizeof(T));
  return true;
}

// Nesting of brackets outside strings; bounds the recursion of the JSON library.
int JsonDepth(std::string_view json) {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

Json ArrayEntry(const char* name, const char* dtype, const std::vector<std::uint64_t>& shape) {
  return Json{{"name", name}, {"dtype", dtype}, {"shape", shape}};
}

// Shapes that a header declares.
struct Shapes {
  std::uint64_t size = 0;
  std::uint64_t points = 0;
  std::uint64_t spikes = 0;
};

// Reads one entry's shape; false unless name, dtype and number of axes are as expected.
bool ReadEntry(const Json& entry, std::string_view name, std::string_view dtype, std::size_t axes,
               std::vector<std::uint64_t>& shape) {
  if (!entry.is_object() || entry.size() != 3) return false;
  const auto name_it = entry.find("name"), dtype_it = entry.find("dtype"),
             shape_it = entry.find("shape");
  if (name_it == entry.end() || dtype_it == entry.end() || shape_it == entry.end()) return false;
  if (*name_it != name || *dtype_it != dtype) return false;
  if (!shape_it->is_array() || shape_it->size() != axes) return false;
  for (const Json& extent : *shape_it) {
    if (!extent.is_number_unsigned()) return false;
    shape.push_back(extent.get<std::uint64_t>());
  }
  return true;
}

bool ReadShapes(const Json& arrays, Shapes& shapes) {
  if (!arrays.is_array() || arrays.size() != 3) return false;
  std::vector<std::uint64_t> trace, count, times;
  if (!ReadEntry(arrays[0], "trace", "u2", 2, trace)) return false;
  if (!ReadEntry(arrays[1], "spike_count", "u4", 1, count)) return false;
  if (!ReadEntry(arrays[2], "spike_time_us", "f4", 1, times)) return false;
  shapes = {trace[0], trace[1], times[0]};
  return count[0] == shapes.size;
}

Status ReadHeader(std::string_view text, Shapes& shapes, std::string& provenance) {
  if (JsonDepth(text) > kMaxJsonDepth) return Malformed("its header is nested too deeply");
  const Json header = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (header.is_discarded() || !header.is_object()) {
    return Malformed("its header is not a JSON object");
  }
  if (header.size() != 2 || !header.contains("arrays") || !header.contains("provenance")) {
    return Malformed("its header must have the keys 'arrays' and 'provenance' only");
  }
  if (!ReadShapes(header["arrays"], shapes)) {
    return Malformed(
        "its header must declare trace u2 [n, points], spike_count u4 [n] and "
        "spike_time_us f4 [spikes]");
  }
  const Json& origin = header["provenance"];
  if (!origin.is_object() && !origin.is_null()) {
    return Malformed("its provenance is not a JSON object");
  }
  provenance = origin.is_null() ? std::string() : origin.dump();
  return {};
}

Status CheckValues(const ObservationBatch& batch) {
  for (const std::uint16_t value : batch.trace) {
    if (value > kMaxCount) return Malformed(fmt::format("a trace value is {}, over 1023", value));
  }
  std::uint64_t total = 0;
  for (const std::uint32_t count : batch.spike_count) total += count;
  if (total != batch.spike_time_us.size()) {
    return Malformed(fmt::format("its spike counts sum to {}, but it has {} spike times", total,
                                 batch.spike_time_us.size()));
  }
  std::size_t next = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    float previous = -1;
    for (std::uint32_t k = 0; k < batch.spike_count[i]; ++k, ++next) {
      const float time = batch.spike_time_us[next];
      if (!std::isfinite(time) || time < 0 || time <= previous) {
        return Malformed(fmt::format("the spike times of experiment {} do not ascend", i));
      }
      previous = time;
    }
  }
  return {};
}

}  // namespace

std::string EncodeObservations(const ObservationBatch& batch) {
  INFERON_CHECK(batch.trace.size() == batch.size() * batch.points);
  Json origin = nullptr;
  if (!batch.provenance.empty()) {
    INFERON_CHECK(JsonDepth(batch.provenance) < kMaxJsonDepth);
    origin = Json::parse(batch.provenance, nullptr, /*allow_exceptions=*/false);
    INFERON_CHECK(origin.is_object());
  }
  Json header;  // Keys are sorted by the library: one text for one content.
  header["arrays"] = {ArrayEntry("trace", "u2", {batch.size(), batch.points}),
                      ArrayEntry("spike_count", "u4", {batch.size()}),
                      ArrayEntry("spike_time_us", "f4", {batch.spike_time_us.size()})};
  header["provenance"] = std::move(origin);
  const std::string text = header.dump();
  INFERON_CHECK(text.size() <= kMaxHeader);

  std::string frame(kMagic);
  const auto length = static_cast<std::uint32_t>(text.size());
  frame.append(reinterpret_cast<const char*>(&length), sizeof length);
  frame += text;
  AppendBytes(frame, batch.trace);
  AppendBytes(frame, batch.spike_count);
  AppendBytes(frame, batch.spike_time_us);
  return frame;
}

Result<ObservationBatch> DecodeObservations(std::string_view frame) {
  if (!frame.starts_with(kMagic)) return Malformed("it does not start with INFOBS1");
  frame.remove_prefix(kMagic.size());
  std::uint32_t length = 0;
  if (frame.size() < sizeof length) return Malformed("it ends inside the header's length");
  std::memcpy(&length, frame.data(), sizeof length);
  frame.remove_prefix(sizeof length);
  if (length > kMaxHeader || length > frame.size()) {
    return Malformed("its header is longer than the frame or the limit");
  }
  Shapes shapes;
  ObservationBatch batch;
  if (Status read = ReadHeader(frame.substr(0, length), shapes, batch.provenance); !read) {
    return tl::unexpected(read.error());
  }
  frame.remove_prefix(length);
  if (shapes.points > kMaxPoints) return Malformed("it declares too many points");
  if (shapes.points > 0 && shapes.size > frame.size() / shapes.points) {
    return Malformed("it ends inside the traces");
  }
  batch.points = static_cast<std::size_t>(shapes.points);
  if (!TakeBytes(frame, shapes.size * shapes.points, batch.trace) ||
      !TakeBytes(frame, shapes.size, batch.spike_count) ||
      !TakeBytes(frame, shapes.spikes, batch.spike_time_us)) {
    return Malformed("it is shorter than its header declares");
  }
  if (!frame.empty()) return Malformed("it is longer than its header declares");
  if (Status valid = CheckValues(batch); !valid) return tl::unexpected(valid.error());
  return batch;
}

}  // namespace inferon
