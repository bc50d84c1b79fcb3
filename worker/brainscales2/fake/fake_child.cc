// inferon-bss2-fake: stands in for bss2_child.py where there is no chip. It always says mode
// "fake", unless a test tells it to lie, and can be told to fail in every way that a child may.
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>

#include "worker/brainscales2/batch_plan.h"
#include "worker/brainscales2/channel.h"
#include "worker/brainscales2/child_process.h"
#include "worker/brainscales2/fake/fake_chip.h"
#include "worker/brainscales2/monitors.h"

namespace inferon::worker {
namespace {

constexpr std::chrono::hours kForever{24 * 365};
constexpr int kChildVersion = 1;
constexpr std::uint32_t kSawtoothSamples = 6000;

struct Options {
  Hello hello{.protocol = kWireProtocol,
              .mode = "fake",
              .chip = "fake-0",
              .bitfile = "none: fake device",
              .repository = "",
              .child_version = kChildVersion};
  EmulatedChipOptions emulated;
  bool synthetic = false;
  std::string replay;
  bool time_accurate = false;
  double temperature_c = 40;
  double supply_share = 1;       // Of its nominal value, the first supply.
  std::uint32_t saw_breaks = 0;  // Of the sawtooth.
  std::string fault;             // What goes wrong.
  std::int64_t at = 0;           // From this batch on, counted in this process; -1: at hello.
  std::string once;       // File: the fault happens only while it is not there, and makes it.
  std::string alternate;  // File: the fault happens every second time over all processes.
  bool check = false;
};

void Log(const std::string& text) { fmt::print(stderr, "inferon-bss2-fake: {}\n", text); }

// What a test lets go wrong.
class Faults {
 public:
  Faults(const Options& options, int fd) : options_(options), fd_(fd) {}

  // True where this fault is due now.
  bool Due(std::string_view kind, std::int64_t batch) {
    if (options_.fault != kind || (options_.at < 0 ? batch >= 0 : batch < options_.at))
      return false;
    if (!options_.alternate.empty()) {
      if (std::filesystem::remove(options_.alternate)) return false;
      std::ofstream(options_.alternate) << kind;
      return true;
    }
    if (options_.once.empty()) return true;
    if (std::filesystem::exists(options_.once)) return false;
    std::ofstream(options_.once) << kind;
    return true;
  }

  // Faults that need no reply.
  void BeforeReply(std::int64_t batch, Clock& clock) {
    if (Due("crash", batch)) std::abort();
    if (Due("exit", batch)) _exit(7);
    if (Due("hang", batch)) clock.SleepFor(kForever, {});
    if (Due("slow", batch)) clock.SleepFor(std::chrono::milliseconds(300), {});
    if (Due("oversize", batch)) SendRaw(Number(kMaxWireBytes + 1));
    if (Due("malformed", batch)) SendRaw(Number(12) + Number(8) + "not json");
    if (Due("cut", batch)) {
      SendRaw(Number(1000) + Number(8));
      _exit(7);
    }
  }

  // Faults of the data.
  void Spoil(BatchReply& reply, std::int64_t batch) {
    if (reply.sample_count.empty()) return;
    const std::size_t n = reply.sample_count[0];
    const auto begin = static_cast<std::ptrdiff_t>(n / 2);
    if (Due("short", batch)) {
      const auto lost = static_cast<std::ptrdiff_t>(n / 20);
      reply.sample_value.erase(reply.sample_value.begin() + begin,
                               reply.sample_value.begin() + begin + lost);
      reply.sample_time.erase(reply.sample_time.begin() + begin,
                              reply.sample_time.begin() + begin + lost);
      reply.sample_count[0] -= static_cast<std::uint32_t>(lost);
    }
    if (Due("jump", batch)) reply.sample_time[n / 2] = reply.sample_time[n / 2 - 1];
    if (Due("dead", batch)) std::fill_n(reply.sample_value.begin(), n, std::uint16_t{400});
    if (Due("saturate", batch)) {
      for (std::uint16_t& value : reply.sample_value) {
        value = static_cast<std::uint16_t>(690 + value % 4);
      }
      reply.saturated = reply.experiments;
    }
    if (Due("fewer", batch)) --reply.experiments;
  }

 private:
  static std::string Number(std::uint64_t number) {
    const auto small = static_cast<std::uint32_t>(number);
    return {reinterpret_cast<const char*>(&small), sizeof small};
  }
  void SendRaw(const std::string& bytes) const {
    [[maybe_unused]] const auto sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }

  const Options& options_;
  const int fd_;
};

class Server {
 public:
  Server(const Options& options, std::unique_ptr<FakeChip> chip, int fd, Clock& clock)
      : options_(options),
        chip_(std::move(chip)),
        clock_(clock),
        channel_(fd, clock),
        faults_(options_, fd) {}

  // Answers until close or the end of the stream.
  int Serve() {
    for (;;) {
      const auto request = channel_.Receive(clock_.Now() + kForever);
      if (!request) return request.error().code == ErrorCode::kUnavailable ? 0 : 1;
      if (request->Type() == "close") {
        Send(EncodeWire({{"type", "closed"}}));
        return 0;
      }
      Send(Answer(*request));
    }
  }

 private:
  std::string Answer(const WireFrame& request) {
    const std::string type = request.Type();
    if (type == "hello") {
      faults_.BeforeReply(-1, clock_);
      Hello hello = options_.hello;
      if (faults_.Due("identity", -1)) hello.chip += "-other";
      return EncodeHello(hello);
    }
    if (type == "open") return Open(request);
    if (type == "run_batch") return Run(request);
    if (type == "health") return Health();
    if (type == "calibrate") {
      return EncodeOpened("calibrated", request.header.value("calibration_id", std::string()));
    }
    return EncodeRefusal({ErrorCode::kUnimplemented, "there is no request '" + type + "'", {}, {}});
  }

  std::string Health() const {
    return EncodeHealthReply({TakeMonitors(), kSawtoothSamples, options_.saw_breaks});
  }

  std::string Open(const WireFrame& request) {
    Result<OpenRequest> open = DecodeOpen(request);
    if (!open) return EncodeRefusal(open.error());
    open_ = std::move(*open);
    fresh_ = true;
    const bool lie = options_.fault == "calibration";
    return EncodeOpened("opened", lie ? std::string(64, '0') : open_.calibration_id);
  }

  std::string Run(const WireFrame& request) {
    const SteadyTime start = clock_.Now();
    const std::int64_t batch_number = batches_++;
    faults_.BeforeReply(batch_number, clock_);
    const Result<BatchRequest> batch = DecodeBatchRequest(request);
    if (!batch) return EncodeRefusal(batch.error());
    if (faults_.Due("refuse", batch_number)) {
      return EncodeRefusal({ErrorCode::kInvalidArgument, "told to refuse", {}, {}});
    }
    if (faults_.Due("unavailable", batch_number)) {
      return EncodeRefusal({ErrorCode::kUnavailable, "the chip failed twice", {}, {}});
    }
    // Without physics, equally large batches are equal: what is measured is the way to the worker.
    const bool ready = options_.synthetic && options_.fault.empty() && !fresh_ &&
                       ready_rows_ == batch->rows.size();
    if (ready && !options_.time_accurate) return ready_frame_;
    Result<BatchReply> reply = chip_->Run(open_, *batch);
    if (!reply) return EncodeRefusal(reply.error());
    const DeviceConfig timing{.settle_us = open_.settle_us,
                              .first_settle_us = open_.first_settle_us,
                              .trial_pause_us = open_.trial_pause_us};
    reply->hardware_us = HardwareTime(timing, *batch, std::exchange(fresh_, false));
    reply->monitors = TakeMonitors();
    faults_.Spoil(*reply, batch_number);
    std::string frame = EncodeBatchReply(*reply);
    if (options_.synthetic && !options_.time_accurate) {
      ready_frame_ = frame;
      ready_rows_ = batch->rows.size();
    }
    if (options_.time_accurate) {
      // A chip takes its time whatever the host does meanwhile.
      const auto end =
          start + std::chrono::nanoseconds(static_cast<std::int64_t>(reply->hardware_us * 1e3));
      if (end > clock_.Now()) clock_.SleepFor(end - clock_.Now(), {});
    }
    return frame;
  }

  void Send(const std::string& frame) {
    const SteadyTime deadline = clock_.Now() + kForever;
    if (options_.fault != "partial") {
      [[maybe_unused]] const Status sent = channel_.Send(frame, deadline);
      return;
    }
    for (std::size_t at = 0; at < frame.size();) {
      const std::size_t piece = at < 2000 ? 1 + at % 7 : 65'537;
      if (!channel_.Send(std::string_view(frame).substr(at, piece), deadline)) return;
      if (at < 200) clock_.SleepFor(std::chrono::milliseconds(1), {});
      at += piece;
    }
  }

  Monitors TakeMonitors() const {
    Monitors monitors{options_.temperature_c, MonitorLimits().supply_v};
    monitors.supply_v.front() *= options_.supply_share;
    return monitors;
  }

  const Options& options_;
  const std::unique_ptr<FakeChip> chip_;
  Clock& clock_;
  Channel channel_;
  Faults faults_;
  OpenRequest open_;
  bool fresh_ = true;
  std::int64_t batches_ = 0;
  std::string ready_frame_;     // The last reply of a synthetic chip,
  std::size_t ready_rows_ = 0;  // and its experiments.
};

void AddOptions(CLI::App& app, Options& options) {
  app.add_option("--chip", options.hello.chip, "Identity that it claims");
  app.add_option("--mode", options.hello.mode, "Mode that it claims");
  app.add_option("--protocol", options.hello.protocol, "Protocol that it claims");
  app.add_flag("--shared", options.hello.shared, "Claim to be behind quiggeldy");
  app.add_option("--profile", options.emulated.profile, "Physics of the emulated neuron");
  app.add_option("--mapping", options.emulated.mapping, "Chip mapping");
  app.add_option("--threads", options.emulated.threads, "Threads of the emulator");
  app.add_option("--drift", options.emulated.drift_counts, "Counts a batch");
  app.add_flag("--synthetic", options.synthetic, "No physics, full-rate samples");
  app.add_option("--replay", options.replay, "Folder of recorded frames to serve");
  app.add_flag("--time-accurate", options.time_accurate, "Take the programmed time");
  app.add_option("--temperature", options.temperature_c, "Degrees Celsius");
  app.add_option("--supply-share", options.supply_share, "First supply, of its nominal value");
  app.add_option("--sawtooth-breaks", options.saw_breaks, "Breaks of the MADC's sawtooth");
  app.add_option("--fault", options.fault,
                 "crash exit hang slow oversize malformed cut partial short jump dead saturate "
                 "fewer refuse unavailable calibration identity");
  app.add_option("--at", options.at, "First batch with the fault; -1: at hello");
  app.add_option("--once", options.once, "File that remembers that the fault has happened");
  app.add_option("--alternate", options.alternate,
                 "File that makes the fault happen every second time");
  app.add_flag("--check", options.check, "Say that everything is there, and end");
}

Result<std::unique_ptr<FakeChip>> MakeChip(Options& options) {
  if (!options.replay.empty()) {
    Hello recorded;
    auto chip = MakeReplayChip(options.replay, recorded);
    if (chip && !recorded.chip.empty()) {
      // A recording is not a chip, whatever made it.
      options.hello.chip = recorded.chip;
      options.hello.bitfile = recorded.bitfile;
      options.hello.versions = recorded.versions;
      options.hello.versions["recorded_mode"] = recorded.mode;
    }
    return chip;
  }
  if (options.synthetic) return MakeSyntheticChip();
  options.emulated.chip = options.hello.chip;
  return MakeEmulatedChip(options.emulated);
}

int Main(Options& options) {
  const char* number = std::getenv(std::string(kDescriptorVariable).c_str());
  if (options.check) {
    const std::string needs = "a fake device needs none";
    Log(needs);
    if (number != nullptr) {
      Channel channel(std::atoi(number), SystemClock());
      return channel.Send(EncodeCheck({{"libraries", true, needs, ""}}),
                          SystemClock().Now() + kForever)
                 ? 0
                 : 1;
    }
    return 0;
  }
  if (number == nullptr) {
    Log(fmt::format("{} has no descriptor: a worker starts this program", kDescriptorVariable));
    return 2;
  }
  auto chip = MakeChip(options);
  if (!chip) {
    Log(chip.error().Text());
    return 1;
  }
  return Server(options, std::move(*chip), std::atoi(number), SystemClock()).Serve();
}

}  // namespace
}  // namespace inferon::worker

int main(int argc, char** argv) {
  inferon::worker::Options options;
  CLI::App app("Stands in for a chip's child process.", "inferon-bss2-fake");
  inferon::worker::AddOptions(app, options);
  CLI11_PARSE(app, argc, argv);
  try {
    return inferon::worker::Main(options);
  } catch (const std::exception& error) {
    inferon::worker::Log(error.what());
    return 1;
  }
}
