#include "tests/scheduler/old_client.h"

#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/text_format.h>
#include <grpcpp/grpcpp.h>

#include <stdexcept>

#include "common/base/check.h"
#include "common/base/clock.h"
#include "common/rpc/server.h"

namespace inferon::scheduler {
namespace {

grpc::ByteBuffer ToBuffer(const Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

std::string ToString(grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  INFERON_CHECK(buffer.DumpToSingleSlice(&slice).ok());
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

// The next operation's result.
bool Next(grpc::CompletionQueue& queue) {
  void* tag = nullptr;
  bool ok = false;
  return queue.Next(&tag, &ok) && ok;
}

}  // namespace

OldClient::OldClient(const std::string& address, const std::string& descriptors)
    : stub_(rpc::OpenChannel(address)) {
  google::protobuf::FileDescriptorSet files;
  INFERON_CHECK(files.ParseFromString(descriptors));
  for (const auto& file : files.file()) INFERON_CHECK(pool_.BuildFile(file) != nullptr);
}

MessagePtr OldClient::Make(const std::string& type, const std::string& text) const {
  const auto* descriptor = pool_.FindMessageTypeByName("inferon.v1." + type);
  INFERON_CHECK(descriptor != nullptr);
  MessagePtr message(factory_.GetPrototype(descriptor)->New());
  INFERON_CHECK(google::protobuf::TextFormat::ParseFromString(text, message.get()));
  return message;
}

std::vector<MessagePtr> OldClient::Stream(const std::string& method,
                                          const std::vector<MessagePtr>& requests,
                                          const std::string& answer_type) {
  grpc::ClientContext context;
  context.set_deadline(SystemClock().WallNow() + std::chrono::seconds(60));
  grpc::CompletionQueue queue;
  const auto call = stub_.PrepareCall(&context, "/inferon.v1." + method, &queue);
  call->StartCall(nullptr);
  bool ok = Next(queue);
  for (std::size_t i = 0; ok && i < requests.size(); ++i) {
    call->Write(ToBuffer(*requests[i]), nullptr);
    ok = Next(queue);
  }
  call->WritesDone(nullptr);
  Next(queue);
  std::vector<MessagePtr> answers;
  for (;;) {
    grpc::ByteBuffer buffer;
    call->Read(&buffer, nullptr);
    if (!Next(queue)) break;
    answers.push_back(Make(answer_type));
    INFERON_CHECK(answers.back()->ParseFromString(ToString(buffer)));
  }
  grpc::Status status;
  call->Finish(&status, nullptr);
  Next(queue);
  if (!status.ok()) throw std::runtime_error(method + ": " + status.error_message());
  return answers;
}

MessagePtr OldClient::Call(const std::string& method, MessagePtr request,
                           const std::string& answer_type) {
  std::vector<MessagePtr> requests;
  requests.push_back(std::move(request));
  return std::move(Stream(method, requests, answer_type).at(0));
}

std::string Get(const Message& message, const std::string& path) {
  const auto dot = path.find('.');
  const auto* field = message.GetDescriptor()->FindFieldByName(path.substr(0, dot));
  INFERON_CHECK(field != nullptr);
  const auto* reflection = message.GetReflection();
  if (dot != std::string::npos) {
    return Get(field->is_repeated() ? reflection->GetRepeatedMessage(message, field, 0)
                                    : reflection->GetMessage(message, field),
               path.substr(dot + 1));
  }
  if (field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_STRING) {
    return reflection->GetString(message, field);
  }
  std::string text;
  google::protobuf::TextFormat::PrintFieldValueToString(message, field, -1, &text);
  return text;
}

void Set(Message& message, const std::string& path, const std::string& bytes) {
  const auto dot = path.find('.');
  const auto* field = message.GetDescriptor()->FindFieldByName(path.substr(0, dot));
  INFERON_CHECK(field != nullptr);
  const auto* reflection = message.GetReflection();
  if (dot != std::string::npos) {
    return Set(*reflection->MutableMessage(&message, field), path.substr(dot + 1), bytes);
  }
  reflection->SetString(&message, field, bytes);
}

}  // namespace inferon::scheduler
