// The registry over gRPC: models and the aliases that point to them.
#pragma once

#include "common/base/clock.h"
#include "common/rpc/call_guard.h"
#include "inferon/v1/inference.grpc.pb.h"
#include "server/trainer/registry/registry.h"

namespace inferon::trainer {

// Thread-safe. What it is given outlives it.
class ModelService final : public v1::ModelService::Service {
 public:
  ModelService(Registry& registry, const rpc::CallGuard& guard, Clock& clock)
      : registry_(registry), guard_(guard), clock_(clock) {}

  grpc::Status ListModels(grpc::ServerContext* context, const v1::ListModelsRequest* request,
                          v1::ListModelsResponse* response) override;
  grpc::Status GetModel(grpc::ServerContext* context, const v1::GetModelRequest* request,
                        v1::GetModelResponse* response) override;
  grpc::Status PromoteModel(grpc::ServerContext* context, const v1::PromoteModelRequest* request,
                            v1::PromoteModelResponse* response) override;
  grpc::Status RollBackModel(grpc::ServerContext* context, const v1::RollBackModelRequest* request,
                             v1::RollBackModelResponse* response) override;
  grpc::Status ListModelAliases(grpc::ServerContext* context,
                                const v1::ListModelAliasesRequest* request,
                                v1::ListModelAliasesResponse* response) override;
  grpc::Status LoadModel(grpc::ServerContext* context, const v1::LoadModelRequest* request,
                         v1::LoadModelResponse* response) override;
  grpc::Status DeleteModel(grpc::ServerContext* context, const v1::DeleteModelRequest* request,
                           v1::DeleteModelResponse* response) override;

 private:
  v1::Model WithAliases(const ModelRecord& record, const Aliases& aliases) const;

  Registry& registry_;
  const rpc::CallGuard& guard_;
  Clock& clock_;
};

}  // namespace inferon::trainer
