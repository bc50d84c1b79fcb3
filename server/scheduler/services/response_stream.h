// A server stream of gRPC's callback API that is stepped by the pump.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <memory>
#include <utility>

#include "common/rpc/status.h"
#include "server/scheduler/services/stream_pump.h"

namespace inferon::scheduler {

enum class Next {
  kMessage,  // The response is to be sent.
  kWait,     // Nothing now; a change of the job brings the next step.
  kEnd,      // The stream is complete.
};

// Sends what Produce() makes. Lives until gRPC is done with it and the pump has left it.
template <typename Response>
class ResponseStream : public grpc::ServerWriteReactor<Response>,
                       public PumpedStream,
                       public std::enable_shared_from_this<ResponseStream<Response>> {
 public:
  ResponseStream(StreamPump& pump, const char* method) : pump_(pump), method_(method) {}

  // Takes the stream in; one that cannot be is ended with the reason.
  static grpc::ServerWriteReactor<Response>* Open(std::shared_ptr<ResponseStream> stream) {
    ResponseStream* raw = stream.get();
    raw->self_ = stream;
    raw->Subscribe();
    if (Status in = raw->pump_.Enter(stream); !in) raw->End(rpc::ToStatus(in.error()));
    return raw;
  }

  void Step() final {
    if (finished_ || writing_) return;
    if (cancelled_) return End(grpc::Status::CANCELLED);
    if (pump_.stopping()) {
      return End(rpc::ToStatus({ErrorCode::kUnavailable, "the scheduler is stopping",
                                "Open the stream again when it runs", std::chrono::seconds(1)}));
    }
    const grpc::Status status = rpc::Guard(method_, [this] { return Advance(); });
    if (!status.ok()) End(status);
  }

  void OnWriteDone(bool ok) final {
    if (!ok) cancelled_ = true;
    writing_ = false;
    Wake();
  }
  void OnCancel() final {
    cancelled_ = true;
    Wake();
  }
  void OnDone() final {
    Unsubscribe();
    const std::shared_ptr<ResponseStream> self = std::move(self_);
    pump_.Leave(self);
  }

 protected:
  // Fills the (empty) response. On the pump's thread.
  virtual Result<Next> Produce(Response& response) = 0;
  // Asks for, and ends, the calls of Wake() when something has changed.
  virtual void Subscribe() = 0;
  virtual void Unsubscribe() = 0;

  void Wake() { pump_.Schedule(this->shared_from_this()); }

 private:
  grpc::Status Advance() {
    response_.Clear();
    const Result<Next> next = Produce(response_);
    if (!next) return rpc::ToStatus(next.error());
    if (*next == Next::kEnd) End(grpc::Status::OK);
    if (*next == Next::kMessage) {
      writing_ = true;
      this->StartWrite(&response_);
    }
    return grpc::Status::OK;
  }

  void End(const grpc::Status& status) {
    finished_ = true;
    this->Finish(status);
  }

  StreamPump& pump_;
  const char* const method_;
  Response response_;      // Of the pump's step, and of gRPC while writing_.
  bool finished_ = false;  // Of the pump's step.
  std::atomic<bool> writing_{false};
  std::atomic<bool> cancelled_{false};
  std::shared_ptr<ResponseStream> self_;  // gRPC's hold; set before Enter, gone with OnDone.
};

// A stream that is refused: it ends at once.
template <typename Response>
grpc::ServerWriteReactor<Response>* Refuse(const grpc::Status& status) {
  class Refused : public grpc::ServerWriteReactor<Response> {
   public:
    explicit Refused(const grpc::Status& reason) { this->Finish(reason); }
    void OnDone() override { delete this; }
  };
  return new Refused(status);  // gRPC's until OnDone.
}

}  // namespace inferon::scheduler
