#include "worker/agent/grpc_link.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <deque>
#include <mutex>
#include <random>
#include <string_view>
#include <utility>

#include "common/base/hash.h"
#include "common/base/trace.h"
#include "common/rpc/convert.h"
#include "common/rpc/retry.h"
#include "common/rpc/server.h"
#include "inferon/v1/workers.grpc.pb.h"

namespace inferon::worker {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
constexpr std::size_t kResumeBytes = 4 * kChunkBytes;  // Frames from here on go on where cut off.
constexpr double kLongestSeconds = 86'400;

v1::LeaseRef ToProto(const LeaseRef& ref) {
  v1::LeaseRef proto;
  proto.set_shard(ref.shard);
  proto.set_fence(ref.fence);
  return proto;
}

// Seconds of an answer, kept within a day.
std::chrono::nanoseconds FromSeconds(double seconds) {
  const double kept = seconds > 0 ? std::min(seconds, kLongestSeconds) : 0;
  return duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(kept));
}

Orders FromProto(const v1::SynchronizeResponse& response) {
  Orders orders{.next = FromSeconds(response.next_seconds()), .drain = response.drain()};
  for (const v1::Lease& lease : response.leases()) {
    orders.leases.push_back({{lease.shard(), lease.fence()}, FromSeconds(lease.seconds_left())});
  }
  return orders;
}

Result<ShardWork> FromProto(const v1::GetShardResponse& response) {
  const v1::JobSpec& spec = response.spec();
  Result<Profile> profile = ParseProfile(spec.profile_toml());
  if (!profile) return tl::unexpected(profile.error());
  Result<Protocol> protocol = rpc::FromProto(spec.protocol());
  if (!protocol) return tl::unexpected(protocol.error());
  Result<DeviceId> device = rpc::FromProto(spec.device());
  if (!device) return tl::unexpected(device.error());
  Result<ParameterSets> sets = rpc::ParameterSetsFromProto(spec.parameter_sets());
  if (!sets) return tl::unexpected(sets.error());
  ShardWork work{.job = response.job()};
  RunRequest& request = work.request;
  request.trials = std::max(1u, spec.trials());
  request.first_index = response.first_index();
  request.count = response.count();
  const std::uint64_t last = request.first_index % request.trials + request.count;
  if (sets->dimension != profile->dimension() || request.count == 0 ||
      last > std::uint64_t{sets->size()} * request.trials) {
    return InvalidArgument(
        fmt::format("the shard's {} parameter sets of {} codes do not fit its "
                    "{} experiments and the profile's {} parameters",
                    sets->size(), sets->dimension, request.count, profile->dimension()));
  }
  request.profile = std::move(*profile);
  request.protocol = std::move(*protocol);
  request.device = std::move(*device);
  request.seed = spec.seed();
  request.sets = std::move(*sets);
  return work;
}

// Constant after construction but for the traces; the stub has its own synchronisation.
class GrpcLink : public Link {
 public:
  explicit GrpcLink(const GrpcLinkOptions& options)
      : options_(options),
        server_(fmt::format("scheduler at {}", options.scheduler)),
        stub_(v1::WorkerService::NewStub(rpc::OpenChannel(options.scheduler, options.security))) {
    v1::Capabilities& capabilities = *base_.mutable_capabilities();
    capabilities.set_substrate(options.substrate.substrate);
    capabilities.set_mode(options.substrate.mode);
    capabilities.set_chip(options.substrate.chip);
    capabilities.set_calibration_id(options.substrate.calibration_id);
    for (const std::uint32_t neuron : options.substrate.neurons) capabilities.add_neurons(neuron);
    for (const std::string& hash : options.substrate.profile_sha256) {
      capabilities.add_profile_sha256(hash);
    }
    capabilities.set_switch_seconds(options.substrate.switch_seconds);
    capabilities.set_version(options.version);
    base_.set_worker(options.worker);
    base_.set_session(options.session);
  }

  Result<Orders> Synchronize(const WorkerReport& report, std::chrono::nanoseconds timeout,
                             std::stop_token stop) override {
    v1::SynchronizeRequest request = base_;
    for (const LeaseRef& ref : report.leases) *request.add_leases() = ToProto(ref);
    request.set_wanted(static_cast<std::uint32_t>(report.wanted));
    request.set_draining(report.draining);
    v1::SynchronizeResponse response;
    const Status done =
        Call(duration_cast<milliseconds>(timeout), stop, [&](grpc::ClientContext& context) {
          return stub_->Synchronize(&context, request, &response);
        });
    if (!done) return tl::unexpected(done.error());
    return FromProto(response);
  }

  // The scheduler says for which request the shard is; what is done for it goes under that.
  Result<ShardWork> GetShard(const LeaseRef& lease, std::stop_token stop) override {
    Trace trace;
    v1::GetShardRequest request;
    *request.mutable_lease() = ToProto(lease);
    v1::GetShardResponse response;
    const Status done = Call(options_.call_timeout, stop, [&](grpc::ClientContext& context) {
      const grpc::Status status = stub_->GetShard(&context, request, &response);
      const auto& metadata = context.GetServerInitialMetadata();
      if (const auto sent = metadata.find("traceparent"); sent != metadata.end()) {
        trace = ParseTraceParent({sent->second.data(), sent->second.size()}).value_or(Trace());
      }
      return status;
    });
    if (!done) return tl::unexpected(done.error());
    const TraceScope scope(Remember(lease, trace));
    spdlog::info("shard {} of {}: {} experiments", lease.shard, response.job(), response.count());
    return FromProto(response);
  }

  Status DeliverShard(const LeaseRef& lease, const std::string& frame, double substrate_seconds,
                      std::stop_token stop) override {
    const TraceScope scope(TraceOf(lease));
    const std::string sha256 = Sha256Hex(frame);
    if (Status sent = Upload(lease, frame, sha256, stop); !sent) return sent;
    v1::CommitShardRequest request;
    *request.mutable_lease() = ToProto(lease);
    request.set_sha256(sha256);
    request.set_substrate_seconds(substrate_seconds);
    v1::CommitShardResponse response;
    return Call(options_.call_timeout, stop, [&](grpc::ClientContext& context) {
      return stub_->CommitShard(&context, request, &response);
    });
  }

  Status FailShard(const LeaseRef& lease, const std::string& error, bool retryable,
                   std::stop_token stop) override {
    const TraceScope scope(TraceOf(lease));
    spdlog::warn("shard {} failed: {}", lease.shard, error);
    v1::FailShardRequest request;
    *request.mutable_lease() = ToProto(lease);
    request.set_error(error);
    request.set_retryable(retryable);
    v1::FailShardResponse response;
    return Call(options_.call_timeout, stop, [&](grpc::ClientContext& context) {
      return stub_->FailShard(&context, request, &response);
    });
  }

 private:
  static constexpr std::size_t kTraces = 64;  // More than shards at a time; the oldest go.

  Trace Remember(const LeaseRef& lease, const Trace& trace) {
    const std::lock_guard lock(mu_);
    traces_.emplace_back(lease.shard, trace);
    if (traces_.size() > kTraces) traces_.pop_front();
    return trace;
  }

  Trace TraceOf(const LeaseRef& lease) {
    const std::lock_guard lock(mu_);
    const auto found = std::find_if(traces_.rbegin(), traces_.rend(),
                                    [&](const auto& entry) { return entry.first == lease.shard; });
    return found == traces_.rend() ? Trace() : found->second;
  }

  Status Call(milliseconds timeout, std::stop_token stop,
              const std::function<grpc::Status(grpc::ClientContext&)>& call) {
    return rpc::CallOnce({.server = server_, .timeout = std::max(timeout, milliseconds(1))}, stop,
                         call);
  }

  // Where an upload of this frame was cut off; asked only where going on saves something.
  std::size_t ResumeAt(const LeaseRef& lease, const std::string& frame, const std::string& sha256,
                       std::stop_token stop) {
    if (frame.size() < kResumeBytes) return 0;
    v1::GetUploadRequest request;
    *request.mutable_lease() = ToProto(lease);
    request.set_sha256(sha256);
    v1::GetUploadResponse response;
    const Status asked = Call(options_.call_timeout, stop, [&](grpc::ClientContext& context) {
      return stub_->GetUpload(&context, request, &response);
    });
    return asked && response.received_bytes() < frame.size() ? response.received_bytes() : 0;
  }

  Status Upload(const LeaseRef& lease, const std::string& frame, const std::string& sha256,
                std::stop_token stop) {
    const std::size_t begin = ResumeAt(lease, frame, sha256, stop);
    return Call(options_.upload_timeout, stop, [&](grpc::ClientContext& context) {
      v1::UploadShardResponse response;
      const auto writer = stub_->UploadShard(&context, &response);
      for (std::size_t offset = begin; offset < frame.size(); offset += kChunkBytes) {
        const std::string_view chunk = std::string_view(frame).substr(offset, kChunkBytes);
        v1::UploadShardRequest message;
        if (offset == begin) {
          *message.mutable_lease() = ToProto(lease);
          message.set_total_bytes(frame.size());
          message.set_sha256(sha256);
        }
        message.set_offset(offset);
        message.set_data(chunk.data(), chunk.size());
        message.set_crc32(Crc32(chunk));
        if (!writer->Write(message)) break;  // The server has ended the call; Finish says why.
      }
      writer->WritesDone();
      return writer->Finish();
    });
  }

  const GrpcLinkOptions options_;
  const std::string server_;
  const std::unique_ptr<v1::WorkerService::Stub> stub_;
  v1::SynchronizeRequest base_;  // What every report says alike.
  std::mutex mu_;
  std::deque<std::pair<std::uint64_t, Trace>> traces_;  // By shard. Guarded by mu_.
};

}  // namespace

std::unique_ptr<Link> MakeGrpcLink(const GrpcLinkOptions& options) {
  return std::make_unique<GrpcLink>(options);
}

std::string RandomSession() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", device(), device(), device(), device());
}

}  // namespace inferon::worker
