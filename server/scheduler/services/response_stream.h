// A server stream that is stepped by the pump.
#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "common/rpc/call_guard.h"
#include "common/rpc/status.h"
#include "common/rpc/stream_queue.h"
#include "server/scheduler/services/stream_pump.h"

namespace inferon::scheduler {

enum class Next {
  kMessage,  // The response is to be sent.
  kWait,     // Nothing now; a change of the job brings the next step.
  kEnd,      // The stream is complete.
};

// Sends what Produce() makes, for as long as its caller is good. Lives until gRPC is done with it
// and the pump has left it.
template <typename Response>
class ResponseStream : public rpc::StreamEvents,
                       public PumpedStream,
                       public std::enable_shared_from_this<ResponseStream<Response>> {
 public:
  using End = rpc::StreamEnd<Response>;

  ResponseStream(StreamPump& pump, const rpc::CallGuard& guard, const char* method,
                 std::shared_ptr<End> end)
      : pump_(pump), guard_(guard), method_(method), end_(std::move(end)) {}

  // Takes the stream in; one that cannot be is ended with the reason.
  static void Open(std::shared_ptr<ResponseStream> stream) {
    stream->self_ = stream;
    stream->end_->Begin(stream.get());
    stream->Subscribe();
    if (Status in = stream->pump_.Enter(stream); !in) stream->Finish(rpc::ToStatus(in.error()));
  }

  void Step() final {
    if (finished_ || writing_) return;
    if (cancelled_) return Finish(grpc::Status::CANCELLED);
    if (pump_.stopping()) {
      return Finish(rpc::ToStatus({ErrorCode::kUnavailable, "the scheduler is stopping",
                                   "Open the stream again when it runs", std::chrono::seconds(1)}));
    }
    const grpc::Status status = rpc::Guard(method_, [this] { return Advance(); });
    if (!status.ok()) Finish(status);
  }

  void OnWritten(bool ok) final {
    if (!ok) cancelled_ = true;
    writing_ = false;
    Wake();
  }
  void OnCancel() final {
    cancelled_ = true;
    Wake();
  }
  void OnClosed() final {
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
    if (const auto good = guard_.Recheck(end_->context()); !good) return good.error();
    response_.Clear();
    const Result<Next> next = Produce(response_);
    if (!next) return rpc::ToStatus(next.error());
    if (*next == Next::kEnd) Finish(grpc::Status::OK);
    if (*next == Next::kMessage) {
      writing_ = true;
      end_->Write(response_);
    }
    return grpc::Status::OK;
  }

  void Finish(const grpc::Status& status) {
    finished_ = true;
    end_->Finish(status);
  }

  StreamPump& pump_;
  const rpc::CallGuard& guard_;
  const char* const method_;
  const std::shared_ptr<End> end_;
  Response response_;                  // Of the pump's step, and of gRPC while writing_.
  std::atomic<bool> finished_{false};  // Of the pump's step; of Open where the pump refuses.
  std::atomic<bool> writing_{false};
  std::atomic<bool> cancelled_{false};
  std::shared_ptr<ResponseStream> self_;  // gRPC's hold; set before Enter, gone with OnClosed.
};

// A stream that is refused: it ends at once.
template <typename Response>
void Refuse(rpc::StreamEnd<Response>& end, const grpc::Status& status) {
  end.Begin(nullptr);
  end.Finish(status);
}

}  // namespace inferon::scheduler
