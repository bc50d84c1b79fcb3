// A client and worker that know only the first API: their messages are made from its own
// descriptors, not from the server's.
#pragma once

#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/message.h>
#include <grpcpp/generic/generic_stub.h>

#include <memory>
#include <string>
#include <vector>

namespace inferon::scheduler {

using Message = google::protobuf::Message;
using MessagePtr = std::unique_ptr<Message>;

class OldClient {
 public:
  // `descriptors`: a FileDescriptorSet.
  OldClient(const std::string& address, const std::string& descriptors);

  // A message of the package inferon.v1 from its text.
  MessagePtr Make(const std::string& type, const std::string& text = "") const;
  // Sends the requests, reads all answers; throws where the status is not OK.
  std::vector<MessagePtr> Stream(const std::string& method, const std::vector<MessagePtr>& requests,
                                 const std::string& answer_type);
  MessagePtr Call(const std::string& method, MessagePtr request, const std::string& answer_type);

 private:
  google::protobuf::DescriptorPool pool_;
  mutable google::protobuf::DynamicMessageFactory factory_;
  grpc::GenericStub stub_;
};

// A field along a path ("job.name"), as text.
std::string Get(const Message& message, const std::string& path);
void Set(Message& message, const std::string& path, const std::string& bytes);

}  // namespace inferon::scheduler
