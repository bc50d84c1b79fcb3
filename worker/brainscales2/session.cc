#include "worker/brainscales2/session.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace inferon::worker {
namespace {

constexpr std::chrono::milliseconds kSendTime{10'000};
constexpr std::chrono::milliseconds kFarewellTime{1'000};

auto Unfit(std::string message, std::string advice) {
  return Fail(ErrorCode::kFailedPrecondition, std::move(message), std::move(advice));
}

}  // namespace

Result<std::unique_ptr<Session>> Session::Start(const SessionOptions& options, Clock& clock) {
  auto child = ChildProcess::Start(options.launch, clock);
  if (!child) return tl::unexpected(child.error());
  std::unique_ptr<Session> session(new Session(std::move(*child), options, clock));
  if (Status greeted = session->Greet(); !greeted) return tl::unexpected(greeted.error());
  return session;
}

Session::Session(std::unique_ptr<ChildProcess> child, const SessionOptions& options, Clock& clock)
    : options_(options), clock_(clock), child_(std::move(child)) {}

Session::~Session() {
  if (usable_ && Send(EncodeClose())) {
    if (Receive(kFarewellTime)) child_->WaitForEnd(kFarewellTime);
  }
  const std::string ending = child_->Stop(options_.grace);
  if (ending != "exit code 0") spdlog::info("the child ended with {}", ending);
}

Status Session::Greet() {
  const auto frame = Call(EncodeHelloRequest(kWireProtocol), options_.start_time);
  if (!frame) return tl::unexpected(frame.error());
  const Result<Hello> hello = DecodeHello(*frame);
  if (!hello) return tl::unexpected(hello.error());
  hello_ = *hello;
  if (hello_.protocol != kWireProtocol) {
    return Unfit(
        fmt::format("the child speaks protocol {}, this worker {}", hello_.protocol, kWireProtocol),
        "Install worker and child of the same version");
  }
  if (hello_.mode != options_.mode) {
    return Unfit(fmt::format("the child works in mode '{}', the worker is configured for '{}'",
                             hello_.mode, options_.mode),
                 "Correct 'mode' in the device configuration, or the environment of the worker");
  }
  if (hello_.chip.empty() || (!options_.chip.empty() && hello_.chip != options_.chip)) {
    return Unfit(fmt::format("the child is connected to the chip '{}', the worker is configured "
                             "for '{}'",
                             hello_.chip, options_.chip),
                 "Connect it to the right chip, or correct 'chip' in the device configuration");
  }
  return {};
}

Status Session::Send(const std::string& frame) {
  const Status sent = child_->channel().Send(frame, clock_.Now() + kSendTime);
  usable_ = usable_ && sent.has_value();
  return sent;
}

Result<WireFrame> Session::Receive(std::chrono::nanoseconds time, std::stop_token stop) {
  auto frame = child_->channel().Receive(clock_.Now() + time, stop);
  usable_ = usable_ && frame.has_value();
  return frame;
}

Result<WireFrame> Session::Call(const std::string& frame, std::chrono::nanoseconds time) {
  if (Status sent = Send(frame); !sent) return tl::unexpected(sent.error());
  return Receive(time);
}

}  // namespace inferon::worker
