#include "server/scheduler/placement.h"

#include <fmt/format.h>

#include <algorithm>

namespace inferon::scheduler {
namespace {

template <typename T>
bool Lacks(const std::vector<T>& bound, const T& wanted) {
  return !bound.empty() && std::find(bound.begin(), bound.end(), wanted) == bound.end();
}

}  // namespace

Requirement RequirementOf(const Job& job) {
  return {job.substrate, job.device.chip, job.device.neuron, job.profile_sha256, job.placement};
}

std::optional<std::string> Mismatch(const std::string& worker, const Capabilities& can,
                                    const Requirement& wants) {
  const Placement& pin = wants.placement;
  if (!pin.worker.empty() && pin.worker != worker) {
    return fmt::format("the job is pinned to {}", WorkerName(pin.worker));
  }
  if (can.substrate != wants.substrate) {
    return fmt::format("it runs {}, the job needs {}", can.substrate, wants.substrate);
  }
  if (!can.chip.empty() && can.chip != wants.chip) {
    return fmt::format("it is bound to chip {}, the job needs {}", can.chip, wants.chip);
  }
  if (Lacks(can.neurons, wants.neuron)) {
    return fmt::format("its neurons do not include {}", wants.neuron);
  }
  if (Lacks(can.profile_sha256, wants.profile_sha256)) {
    return fmt::format("its profiles do not include {:.12}", wants.profile_sha256);
  }
  if (!pin.calibration_id.empty() && pin.calibration_id != can.calibration_id) {
    return fmt::format("the job is pinned to calibration {:.12}, it has {:.12}", pin.calibration_id,
                       can.calibration_id.empty() ? "none" : can.calibration_id);
  }
  return std::nullopt;
}

std::optional<Reservation> BlockedBy(std::span<const Reservation> reservations,
                                     const std::string& worker, const std::string& project,
                                     WallTime now, std::chrono::duration<double> expected) {
  const WallTime end = now + std::chrono::duration_cast<WallTime::duration>(expected);
  for (const Reservation& reservation : reservations) {
    const bool other = reservation.worker == worker &&
                       (reservation.project.empty() || reservation.project != project);
    if (other && reservation.start <= end && now < reservation.end) return reservation;
  }
  return std::nullopt;
}

bool Overlap(const Reservation& a, const Reservation& b) {
  return a.worker == b.worker && a.start < b.end && b.start < a.end;
}

}  // namespace inferon::scheduler
