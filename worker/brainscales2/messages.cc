#include "worker/brainscales2/messages.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

namespace inferon::worker {
namespace {

using Json = nlohmann::json;

struct CodeName {
  ErrorCode code;
  std::string_view name;
};
constexpr std::array<CodeName, 7> kCodes{{{ErrorCode::kInvalidArgument, "invalid_argument"},
                                          {ErrorCode::kFailedPrecondition, "failed_precondition"},
                                          {ErrorCode::kUnimplemented, "unimplemented"},
                                          {ErrorCode::kUnavailable, "unavailable"},
                                          {ErrorCode::kDataLoss, "data_loss"},
                                          {ErrorCode::kNotFound, "not_found"},
                                          {ErrorCode::kInternal, "internal"}}};

ErrorCode CodeOf(std::string_view name) {
  for (const CodeName& entry : kCodes) {
    if (entry.name == name) return entry.code;
  }
  return ErrorCode::kInternal;
}

std::string_view NameOf(ErrorCode code) {
  for (const CodeName& entry : kCodes) {
    if (entry.code == code) return entry.name;
  }
  return "internal";
}

// Reads a header; what the library throws for wrong types becomes an error.
template <typename T, typename Read>
Result<T> Guarded(const WireFrame& frame, Read&& read) {
  try {
    return read(frame.header);
  } catch (const Json::exception& error) {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("the frame '{}' is malformed: {}", frame.Type(), error.what()),
                "Use a worker and a child of the same version");
  }
}

Monitors MonitorsFrom(const Json& header) {
  Monitors monitors;
  if (const Json& celsius = header.at("temperature_c"); !celsius.is_null()) {
    monitors.temperature_c = celsius.get<double>();
  }
  header.at("supply_v").get_to(monitors.supply_v);
  return monitors;
}

void Put(const Monitors& monitors, Json& header) {
  header["temperature_c"] = monitors.temperature_c ? Json(*monitors.temperature_c) : Json(nullptr);
  header["supply_v"] = monitors.supply_v;
}

template <typename T>
Status Take(const WireFrame& frame, std::string_view name, std::vector<T>& values) {
  Result<std::vector<T>> taken = TakeWireArray<T>(frame, name);
  if (!taken) return tl::unexpected(taken.error());
  values = std::move(*taken);
  return {};
}

template <typename T>
WireArray List(std::string name, const std::vector<T>& values) {
  return MakeWireArray<T>(std::move(name), values, {values.size()});
}

}  // namespace

std::string EncodeHelloRequest(int protocol) {
  return EncodeWire({{"type", "hello"}, {"protocol", protocol}});
}

std::string EncodeOpen(const OpenRequest& request) {
  return EncodeWire(
      {{"type", "open"},
       {"neuron", request.neuron},
       {"address", request.neuron % 256},
       {"calibration", request.calibration.empty() ? Json(nullptr) : Json(request.calibration)},
       {"calibration_id", request.calibration_id},
       {"fixed", request.fixed},
       {"readout", {{"source", request.readout_source}}},
       {"clocks", {{"fast", request.fast_clock_scale}, {"slow", request.slow_clock_scale}}},
       {"settle_us", request.settle_us},
       {"first_settle_us", request.first_settle_us},
       {"trial_pause_us", request.trial_pause_us}});
}

std::string EncodeBatch(const BatchRequest& request) {
  const std::uint64_t columns = request.fields.size();
  const std::array arrays{
      MakeWireArray<std::uint16_t>("codes", request.codes,
                                   {columns == 0 ? 0 : request.codes.size() / columns, columns}),
      List("row", request.rows)};
  return EncodeWire({{"type", "run_batch"},
                     {"fields", request.fields},
                     {"steps_cycles", request.steps_cycles},
                     {"duration_cycles", request.duration_cycles},
                     {"seed", request.seed},
                     {"first_index", request.first_index},
                     {"trials", request.trials}},
                    arrays);
}

std::string EncodeHealth() { return EncodeWire({{"type", "health"}}); }

std::string EncodeCalibrate(const std::string& calibration, const std::string& calibration_id,
                            bool exclusive) {
  return EncodeWire({{"type", "calibrate"},
                     {"calibration", calibration},
                     {"calibration_id", calibration_id},
                     {"exclusive", exclusive}});
}

std::string EncodeClose() { return EncodeWire({{"type", "close"}}); }

Status CheckReply(const WireFrame& frame, std::string_view type) {
  const std::string got = frame.Type();
  if (got == type) return {};
  if (got != "error") {
    return Fail(ErrorCode::kDataLoss,
                fmt::format("the child answers '{}' where '{}' was expected", got, type),
                "Use a worker and a child of the same version");
  }
  const auto text = [&](const char* key) {
    const auto found = frame.header.find(key);
    return found != frame.header.end() && found->is_string() ? found->get<std::string>()
                                                             : std::string();
  };
  const std::string message = text("message");
  return Fail(CodeOf(text("code")),
              message.empty() ? "the child refuses without a reason" : message, text("advice"));
}

Result<Hello> DecodeHello(const WireFrame& frame) {
  if (Status ok = CheckReply(frame, "hello"); !ok) return tl::unexpected(ok.error());
  return Guarded<Hello>(frame, [](const Json& header) {
    Hello hello;
    header.at("protocol").get_to(hello.protocol);
    header.at("mode").get_to(hello.mode);
    header.at("chip").get_to(hello.chip);
    header.at("bitfile").get_to(hello.bitfile);
    header.at("repository").get_to(hello.repository);
    header.at("shared").get_to(hello.shared);
    header.at("child_version").get_to(hello.child_version);
    header.at("versions").get_to(hello.versions);
    return hello;
  });
}

Result<std::string> DecodeCalibrationId(const WireFrame& frame, std::string_view type) {
  if (Status ok = CheckReply(frame, type); !ok) return tl::unexpected(ok.error());
  return Guarded<std::string>(
      frame, [](const Json& header) { return header.at("calibration_id").get<std::string>(); });
}

Result<BatchReply> DecodeBatch(const WireFrame& frame) {
  if (Status ok = CheckReply(frame, "batch"); !ok) return tl::unexpected(ok.error());
  Result<BatchReply> reply = Guarded<BatchReply>(frame, [](const Json& header) {
    BatchReply read;
    header.at("experiments").get_to(read.experiments);
    header.at("hardware_us").get_to(read.hardware_us);
    header.at("waiting_us").get_to(read.waiting_us);
    header.at("repeated").get_to(read.repeated);
    read.saturated = static_cast<std::uint32_t>(header.at("warnings").size());
    read.monitors = MonitorsFrom(header);
    return read;
  });
  if (!reply) return reply;
  for (const Status& taken : {Take(frame, "sample_value", reply->sample_value),
                              Take(frame, "sample_time", reply->sample_time),
                              Take(frame, "sample_count", reply->sample_count),
                              Take(frame, "spike_time", reply->spike_time),
                              Take(frame, "spike_count", reply->spike_count)}) {
    if (!taken) return tl::unexpected(taken.error());
  }
  return reply;
}

Result<HealthReply> DecodeHealth(const WireFrame& frame) {
  if (Status ok = CheckReply(frame, "health"); !ok) return tl::unexpected(ok.error());
  return Guarded<HealthReply>(frame, [](const Json& header) {
    return HealthReply{MonitorsFrom(header), header.at("sawtooth_samples").get<std::uint32_t>(),
                       header.at("sawtooth_breaks").get<std::uint32_t>()};
  });
}

Result<OpenRequest> DecodeOpen(const WireFrame& frame) {
  return Guarded<OpenRequest>(frame, [](const Json& header) {
    OpenRequest request;
    header.at("neuron").get_to(request.neuron);
    if (header.at("calibration").is_string()) header.at("calibration").get_to(request.calibration);
    header.at("calibration_id").get_to(request.calibration_id);
    header.at("fixed").get_to(request.fixed);
    header.at("settle_us").get_to(request.settle_us);
    header.at("first_settle_us").get_to(request.first_settle_us);
    header.at("trial_pause_us").get_to(request.trial_pause_us);
    return request;
  });
}

Result<BatchRequest> DecodeBatchRequest(const WireFrame& frame) {
  Result<BatchRequest> request = Guarded<BatchRequest>(frame, [](const Json& header) {
    BatchRequest read;
    header.at("fields").get_to(read.fields);
    header.at("steps_cycles").get_to(read.steps_cycles);
    header.at("duration_cycles").get_to(read.duration_cycles);
    read.seed = header.value("seed", std::uint64_t{0});
    read.first_index = header.value("first_index", std::uint64_t{0});
    read.trials = header.value("trials", std::uint32_t{1});
    return read;
  });
  if (!request) return request;
  for (const WireArray& array : frame.arrays) {
    if (array.name != "codes" || array.dtype != "u2" || array.shape.size() != 2 ||
        array.shape[1] != request->fields.size()) {
      continue;
    }
    request->codes.resize(array.data.size() / sizeof(std::uint16_t));
    std::copy_n(array.data.data(), array.data.size(),
                reinterpret_cast<char*>(request->codes.data()));
  }
  if (Status taken = Take(frame, "row", request->rows); !taken) {
    return tl::unexpected(taken.error());
  }
  const std::size_t sets =
      request->fields.empty() ? 0 : request->codes.size() / request->fields.size();
  for (const std::uint32_t row : request->rows) {
    if (row < sets) continue;
    return Fail(ErrorCode::kDataLoss,
                fmt::format("the batch has {} sets and an experiment of set {}", sets, row),
                "Use a worker and a child of the same version");
  }
  return request;
}

std::string EncodeCheck(const std::vector<LibraryCheck>& checks) {
  Json items = Json::array();
  for (const LibraryCheck& check : checks) {
    items.push_back({{"name", check.name},
                     {"ok", check.ok},
                     {"detail", check.detail},
                     {"advice", check.advice}});
  }
  return EncodeWire({{"type", "check"}, {"items", std::move(items)}});
}

Result<std::vector<LibraryCheck>> DecodeCheck(const WireFrame& frame) {
  if (Status ok = CheckReply(frame, "check"); !ok) return tl::unexpected(ok.error());
  return Guarded<std::vector<LibraryCheck>>(frame, [](const Json& header) {
    std::vector<LibraryCheck> checks;
    for (const Json& item : header.at("items")) {
      checks.push_back({item.at("name").get<std::string>(), item.at("ok").get<bool>(),
                        item.at("detail").get<std::string>(),
                        item.at("advice").get<std::string>()});
    }
    return checks;
  });
}

std::string EncodeHello(const Hello& hello) {
  return EncodeWire({{"type", "hello"},
                     {"protocol", hello.protocol},
                     {"mode", hello.mode},
                     {"chip", hello.chip},
                     {"bitfile", hello.bitfile},
                     {"repository", hello.repository},
                     {"shared", hello.shared},
                     {"child_version", hello.child_version},
                     {"versions", hello.versions}});
}

std::string EncodeOpened(const std::string& type, const std::string& calibration_id) {
  return EncodeWire({{"type", type}, {"calibration_id", calibration_id}});
}

std::string EncodeBatchReply(const BatchReply& reply) {
  Json header = {{"type", "batch"},
                 {"experiments", reply.experiments},
                 {"hardware_us", reply.hardware_us},
                 {"waiting_us", reply.waiting_us},
                 {"repeated", reply.repeated},
                 {"warnings", Json::array()}};
  for (std::uint32_t i = 0; i < reply.saturated; ++i) {
    header["warnings"].push_back({{"kind", "saturation"}, {"experiment", i}});
  }
  Put(reply.monitors, header);
  const std::array arrays{
      List("sample_value", reply.sample_value), List("sample_time", reply.sample_time),
      List("sample_count", reply.sample_count), List("spike_time", reply.spike_time),
      List("spike_count", reply.spike_count)};
  return EncodeWire(std::move(header), arrays);
}

std::string EncodeHealthReply(const HealthReply& reply) {
  Json header = {{"type", "health"},
                 {"sawtooth_samples", reply.sawtooth_samples},
                 {"sawtooth_breaks", reply.sawtooth_breaks}};
  Put(reply.monitors, header);
  return EncodeWire(std::move(header));
}

std::string EncodeRefusal(const Error& error) {
  return EncodeWire({{"type", "error"},
                     {"code", NameOf(error.code)},
                     {"message", error.message},
                     {"advice", error.advice}});
}

}  // namespace inferon::worker
