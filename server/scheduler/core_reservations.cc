#include <fmt/format.h>

#include <algorithm>

#include "server/scheduler/core.h"
#include "server/scheduler/placement.h"
#include "server/scheduler/validate.h"

namespace inferon::scheduler {
namespace {

std::string Describe(const Reservation& reservation) {
  return fmt::format("{} for {}{}{}", WorkerName(reservation.worker),
                     reservation.project.empty() ? "maintenance" : reservation.project,
                     reservation.reason.empty() ? "" : ": ", reservation.reason);
}

Status Validate(const Reservation& reservation, WallTime now) {
  if (!IsIdentifier(reservation.worker)) {
    return InvalidArgument(fmt::format("'{}' is not a worker id", reservation.worker));
  }
  if (!reservation.project.empty() && !IsIdentifier(reservation.project)) {
    return InvalidArgument(fmt::format("'{}' is not a project id", reservation.project));
  }
  if (reservation.end <= reservation.start) {
    return InvalidArgument("the reservation does not end after it begins",
                           "Give an end_time after the start_time");
  }
  if (reservation.end <= now) {
    return InvalidArgument("the reservation has ended already", "Give an end_time in the future");
  }
  return ValidateReason(reservation.reason);
}

}  // namespace

Result<Reservation> Core::CreateReservation(const Reservation& reservation, const Actor& actor) {
  if (Status ok = Validate(reservation, clock_.WallNow()); !ok) return tl::unexpected(ok.error());
  return Write([&]() -> Result<Reservation> {
    if (const auto worker = FindWorker(reservation.worker); !worker) {
      return tl::unexpected(worker.error());
    }
    if (reservations_.size() >= limits_.max_reservations) {
      return Fail(
          ErrorCode::kResourceExhausted,
          fmt::format("{} reservations exist, the limit of this server", reservations_.size()),
          "Delete some first");
    }
    const auto other =
        std::find_if(reservations_.begin(), reservations_.end(),
                     [&](const Reservation& before) { return Overlap(before, reservation); });
    if (other != reservations_.end()) {
      return Fail(ErrorCode::kFailedPrecondition,
                  fmt::format("reservation {} overlaps: {}", other->id, Describe(*other)),
                  "Choose another time, or delete that one first");
    }
    Reservation created = reservation;
    created.id = store_->AddReservation(reservation);
    reservations_.push_back(created);
    TellOf("reservation.created", WorkerName(created.worker),
           fmt::format("{}: {}", created.id, Describe(created)), actor);
    return created;
  });
}

Result<std::vector<Reservation>> Core::ListReservations() {
  return readers_.Read([&](StoreReader& reader) -> Result<std::vector<Reservation>> {
    std::vector<Reservation> all = reader.Reservations();
    const WallTime now = clock_.WallNow();
    std::erase_if(all, [&](const Reservation& one) { return one.end <= now; });
    return all;
  });
}

Status Core::DeleteReservation(std::uint64_t id, const Actor& actor) {
  return Write([&]() -> Status {
    const auto found = std::find_if(reservations_.begin(), reservations_.end(),
                                    [&](const Reservation& one) { return one.id == id; });
    if (found == reservations_.end()) {
      return Fail(ErrorCode::kNotFound, fmt::format("there is no reservation {}", id),
                  "List the reservations to see their numbers");
    }
    store_->DeleteReservation(id);
    TellOf("reservation.deleted", WorkerName(found->worker),
           fmt::format("{}: {}", id, Describe(*found)), actor);
    reservations_.erase(found);
    return {};
  });
}

// Reservations that have ended are of no use to anybody.
void Core::ForgetReservations() {
  const WallTime now = clock_.WallNow();
  for (const Reservation& one : reservations_) {
    if (one.end <= now) store_->DeleteReservation(one.id);
  }
  std::erase_if(reservations_, [&](const Reservation& one) { return one.end <= now; });
}

}  // namespace inferon::scheduler
