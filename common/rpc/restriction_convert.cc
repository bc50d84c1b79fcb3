#include "common/rpc/restriction_convert.h"

namespace inferon::rpc {

v1::Restriction ToProto(const Restriction& restriction) {
  v1::Restriction message;
  for (const Condition& condition : restriction.conditions) {
    v1::Condition& added = *message.add_conditions();
    added.set_parameter(condition.parameter);
    added.set_value(condition.value);
  }
  message.mutable_parameters()->Assign(restriction.parameters.begin(),
                                       restriction.parameters.end());
  return message;
}

Restriction FromProto(const v1::Restriction& message) {
  Restriction restriction;
  for (const v1::Condition& condition : message.conditions()) {
    restriction.conditions.push_back({condition.parameter(), condition.value()});
  }
  restriction.parameters.assign(message.parameters().begin(), message.parameters().end());
  return restriction;
}

v1::RestrictionReport ToProto(const RestrictionReport& report) {
  v1::RestrictionReport message;
  message.mutable_parameters()->Assign(report.parameters.begin(), report.parameters.end());
  message.set_method(report.method);
  message.set_log_condition_density(report.log_condition_density);
  message.set_standard_error(report.standard_error);
  message.set_effective_share(report.effective_share);
  message.set_acceptance(report.acceptance);
  message.set_distortion(report.distortion);
  return message;
}

RestrictionReport FromProto(const v1::RestrictionReport& message) {
  return {{message.parameters().begin(), message.parameters().end()},
          message.method(),
          message.log_condition_density(),
          message.standard_error(),
          message.effective_share(),
          message.acceptance(),
          message.distortion()};
}

}  // namespace inferon::rpc
