// Server streams of gRPC's completion-queue API: an open stream holds no thread. (The callback API
// is not used: its threads sleep for 100 ms after each second without an event of theirs, and calls
// of the same server wait meanwhile.)
#pragma once

#include <grpcpp/completion_queue.h>
#include <grpcpp/server.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>

#include <functional>
#include <memory>
#include <thread>
#include <utility>

namespace inferon::rpc {

// What a queue gives back when an operation has ended; it lives until then.
struct StreamTag {
  std::function<void(bool ok)> ended;
};

// Takes what has ended and tells it, one after the other, on a thread of its own.
class StreamQueue {
 public:
  explicit StreamQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue);
  // Shuts the server down, if that was not done; it lives until the queue is empty.
  ~StreamQueue();
  // The queue's server, once it runs.
  void Serve(std::shared_ptr<grpc::Server> server) { server_ = std::move(server); }
  StreamQueue(const StreamQueue&) = delete;
  StreamQueue& operator=(const StreamQueue&) = delete;
  grpc::ServerCompletionQueue& queue() { return *queue_; }

 private:
  void Loop();

  std::shared_ptr<grpc::Server> server_;  // Null before Serve().
  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::thread thread_;  // Last.
};

// A service with such streams asks for their calls once the server runs.
class StreamingService {
 public:
  virtual ~StreamingService() = default;
  virtual void AcceptStreams(grpc::ServerCompletionQueue& queue) = 0;
};

// Is told what becomes of an open stream; on the queue's thread.
class StreamEvents {
 public:
  virtual void OnWritten(bool ok) = 0;  // False: the client has gone.
  virtual void OnCancel() = 0;          // The client has gone; Finish() is still wanted.
  virtual void OnClosed() = 0;          // The last one, after Finish().

 protected:
  ~StreamEvents() = default;
};

// The server's end of one stream of responses. Lives by itself from Begin() until it is closed.
template <typename Response>
class StreamEnd : public std::enable_shared_from_this<StreamEnd<Response>> {
 public:
  StreamEnd() { context_.AsyncNotifyWhenDone(&over_tag_); }
  virtual ~StreamEnd() = default;

  // Without events nobody is told.
  void Begin(StreamEvents* events) {
    events_ = events;
    self_ = this->shared_from_this();
  }
  // One at a time. The response must live until OnWritten.
  void Write(const Response& response) { writer_.Write(response, &written_tag_); }
  // Once, with no write under way.
  void Finish(const grpc::Status& status) { writer_.Finish(status, &finished_tag_); }

  const grpc::ServerContext& context() const { return context_; }

 protected:
  grpc::ServerContext context_;
  grpc::ServerAsyncWriter<Response> writer_{&context_};

 private:
  void Over() {
    over_ = true;
    if (context_.IsCancelled() && !finished_ && events_ != nullptr) events_->OnCancel();
    CloseIfDone();
  }
  void CloseIfDone() {
    if (!over_ || !finished_) return;
    const auto self = std::move(self_);
    if (events_ != nullptr) events_->OnClosed();
  }

  StreamEvents* events_ = nullptr;
  std::shared_ptr<StreamEnd> self_;
  bool over_ = false;      // Of the queue's thread.
  bool finished_ = false;  // Of the queue's thread.
  StreamTag written_tag_{[this](bool ok) {
    if (events_ != nullptr) events_->OnWritten(ok);
  }};
  StreamTag finished_tag_{[this](bool) {
    finished_ = true;
    CloseIfDone();
  }};
  StreamTag over_tag_{[this](bool) { Over(); }};
};

// Takes the calls of one method, each as it comes.
template <typename Request, typename Response>
class StreamMethod {
 public:
  class Call : public StreamEnd<Response> {
   public:
    const Request& request() const { return request_; }

   private:
    friend class StreamMethod;
    Request request_;
  };
  // The generated Request… of the service.
  using Ask = std::function<void(grpc::ServerContext*, Request*, grpc::ServerAsyncWriter<Response>*,
                                 grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void* tag)>;
  // Begins the call; on the queue's thread, so it must be quick.
  using Open = std::function<void(const std::shared_ptr<Call>&)>;

  StreamMethod(Ask ask, Open open) : ask_(std::move(ask)), open_(std::move(open)) {
    begun_.ended = [this](bool ok) { Begun(ok); };
  }
  StreamMethod(const StreamMethod&) = delete;
  StreamMethod& operator=(const StreamMethod&) = delete;

  void Accept(grpc::ServerCompletionQueue& queue) {
    queue_ = &queue;
    call_ = std::make_shared<Call>();
    ask_(&call_->context_, &call_->request_, &call_->writer_, queue_, queue_, &begun_);
  }

 private:
  void Begun(bool ok) {
    if (!ok) return call_.reset();  // The server stops.
    const std::shared_ptr<Call> call = std::move(call_);
    Accept(*queue_);
    open_(call);
  }

  const Ask ask_;
  const Open open_;
  grpc::ServerCompletionQueue* queue_ = nullptr;  // Null before Accept().
  std::shared_ptr<Call> call_;                    // The next one. Of the queue's thread.
  StreamTag begun_;
};

}  // namespace inferon::rpc
