#include "common/rpc/stream_queue.h"

namespace inferon::rpc {

StreamQueue::StreamQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue)
    : queue_(std::move(queue)), thread_([this] { Loop(); }) {}

StreamQueue::~StreamQueue() {
  if (server_) server_->Shutdown();
  queue_->Shutdown();
  thread_.join();
}

void StreamQueue::Loop() {
  void* tag = nullptr;
  for (bool ok = false; queue_->Next(&tag, &ok);) static_cast<StreamTag*>(tag)->ended(ok);
}

}  // namespace inferon::rpc
