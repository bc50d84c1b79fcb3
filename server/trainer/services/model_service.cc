#include "server/trainer/services/model_service.h"

#include "common/rpc/convert.h"
#include "common/rpc/status.h"
#include "server/trainer/services/convert.h"

namespace inferon::trainer {
namespace {

std::string AliasOf(const std::string& given) { return given.empty() ? kDefaultAlias : given; }

v1::ModelAlias ToProto(const Alias& alias) {
  v1::ModelAlias message;
  message.set_alias(alias.name);
  message.set_model("models/" + alias.model);
  for (const std::string& model : alias.earlier) message.add_earlier_models("models/" + model);
  *message.mutable_update_time() = rpc::ToProto(alias.update_time);
  return message;
}

template <typename Response>
grpc::Status Answer(const Result<Alias>& alias, Response& response) {
  if (!alias) return rpc::ToStatus(alias.error());
  *response.mutable_alias() = ToProto(*alias);
  return grpc::Status::OK;
}

}  // namespace

v1::Model ModelService::WithAliases(const ModelRecord& record, const Aliases& aliases) const {
  v1::Model message = trainer::ToProto(record);
  for (const auto& [name, alias] : aliases) {
    if (alias.model == record.id) message.add_aliases(name);
  }
  return message;
}

grpc::Status ModelService::ListModels(grpc::ServerContext* context,
                                      const v1::ListModelsRequest* request,
                                      v1::ListModelsResponse* response) {
  return guard_.Run(*context, *request, [&](const rpc::Caller& caller) {
    std::vector<ModelRecord> all = registry_.List();
    std::erase_if(all, [&](const ModelRecord& model) {
      return !guard_.MaySee(caller, "models/" + model.id);
    });
    const auto page = TakePage(all, request->page_size(), request->page_token());
    if (!page) return rpc::ToStatus(page.error());
    const Aliases aliases = registry_.ListAliases().value_or(Aliases());
    for (const ModelRecord& record : page->records) {
      *response->add_models() = WithAliases(record, aliases);
    }
    response->set_next_page_token(page->next_token);
    return grpc::Status::OK;
  });
}

grpc::Status ModelService::GetModel(grpc::ServerContext* context,
                                    const v1::GetModelRequest* request,
                                    v1::GetModelResponse* response) {
  return guard_.Run(*context, *request, [&](const rpc::Caller&) {
    const auto id = rpc::ParseName(request->name(), "models");
    if (!id) return rpc::ToStatus(id.error());
    const auto record = registry_.Get(*id);
    if (!record) return rpc::ToStatus(record.error());
    *response->mutable_model() = WithAliases(*record, registry_.ListAliases().value_or(Aliases()));
    return grpc::Status::OK;
  });
}

grpc::Status ModelService::PromoteModel(grpc::ServerContext* context,
                                        const v1::PromoteModelRequest* request,
                                        v1::PromoteModelResponse* response) {
  return guard_.Run(*context, *request, [&](const rpc::Caller&) {
    const auto id = rpc::ParseName(request->name(), "models");
    if (!id) return rpc::ToStatus(id.error());
    return Answer(registry_.PromoteModel(*id, AliasOf(request->alias()), clock_.WallNow()),
                  *response);
  });
}

grpc::Status ModelService::RollBackModel(grpc::ServerContext* context,
                                         const v1::RollBackModelRequest* request,
                                         v1::RollBackModelResponse* response) {
  return guard_.Run(*context, *request, [&](const rpc::Caller&) {
    std::string from;
    if (!request->from().empty()) {
      const auto id = rpc::ParseName(request->from(), "models");
      if (!id) return rpc::ToStatus(id.error());
      from = *id;
    }
    return Answer(registry_.RollBackModel(AliasOf(request->alias()), from, clock_.WallNow()),
                  *response);
  });
}

grpc::Status ModelService::ListModelAliases(grpc::ServerContext* context,
                                            const v1::ListModelAliasesRequest* request,
                                            v1::ListModelAliasesResponse* response) {
  return guard_.Run(*context, *request, [&](const rpc::Caller& caller) {
    const auto aliases = registry_.ListAliases();
    if (!aliases) return rpc::ToStatus(aliases.error());
    for (auto [name, alias] : *aliases) {
      const auto hidden = [&](const std::string& model) {
        return !guard_.MaySee(caller, "models/" + model);
      };
      if (hidden(alias.model)) continue;
      std::erase_if(alias.earlier, hidden);
      *response->add_aliases() = ToProto(alias);
    }
    return grpc::Status::OK;
  });
}

grpc::Status ModelService::LoadModel(grpc::ServerContext* context,
                                     const v1::LoadModelRequest* request,
                                     v1::LoadModelResponse* response) {
  return guard_.Run(*context, *request, [&](const rpc::Caller&) {
    const auto id = rpc::ParseName(request->name(), "models");
    if (!id) return rpc::ToStatus(id.error());
    const auto model = registry_.WarmUp(*id);
    if (!model) return rpc::ToStatus(model.error());
    *response->mutable_model() = trainer::ToProto((*model)->record);
    return grpc::Status::OK;
  });
}

grpc::Status ModelService::DeleteModel(grpc::ServerContext* context,
                                       const v1::DeleteModelRequest* request,
                                       v1::DeleteModelResponse*) {
  return guard_.Run(*context, *request, [&](const rpc::Caller&) {
    const auto id = rpc::ParseName(request->name(), "models");
    if (!id) return rpc::ToStatus(id.error());
    const Status deleted = registry_.Delete(*id);
    return deleted ? grpc::Status::OK : rpc::ToStatus(deleted.error());
  });
}

}  // namespace inferon::trainer
