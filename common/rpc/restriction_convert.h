// Restrictions of posterior queries, in messages and out of them.
#pragma once

#include "common/priors/restriction.h"
#include "inferon/v1/types.pb.h"

namespace inferon::rpc {

v1::Restriction ToProto(const Restriction& restriction);
Restriction FromProto(const v1::Restriction& message);
v1::RestrictionReport ToProto(const RestrictionReport& report);
RestrictionReport FromProto(const v1::RestrictionReport& message);

}  // namespace inferon::rpc
