#include "common/recordings/nwb/nwb_listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <map>

#include "common/recordings/columns.h"

namespace inferon::nwb {
namespace {

// Sweep numbers are 32 bit; the largest stands for none.
constexpr double kNoSweep = 4294967295.0;

std::optional<std::int64_t> LastNumber(const std::string& name) {
  std::size_t end = name.size();
  while (end > 0 && !std::isdigit(static_cast<unsigned char>(name[end - 1]))) --end;
  std::size_t begin = end;
  while (begin > 0 && std::isdigit(static_cast<unsigned char>(name[begin - 1]))) --begin;
  std::int64_t number = 0;
  const auto [stop, error] = std::from_chars(name.data() + begin, name.data() + end, number);
  if (begin == end || error != std::errc()) return std::nullopt;
  return number;
}

// "Sweep_12" and "CurrentClampSeries_12" have the number 12, MIES' "data_00012_AD0" has, too.
std::optional<std::int64_t> NumberOf(const std::string& name) {
  return LastNumber(name.starts_with("data_") ? name.substr(0, name.find('_', 5)) : name);
}

// Stimulus of NWB 2 with what tells whose it is.
struct Stimulus {
  std::string path, name;
  std::optional<std::int64_t> number;
  std::optional<std::uint64_t> electrode, id;
};

// Rows of this table of NWB 2 (from 2.4 on) pair a response with its stimulus.
const std::string kPairs = "/general/intracellular_ephys/intracellular_recordings";

class Lister {
 public:
  explicit Lister(const Hdf5File& file) : file_(file) {}

  Listing List() {
    if (file_.Exists("/acquisition/timeseries")) {
      listing_.version = 1;
      List1();
    } else if (file_.Exists("/acquisition")) {
      listing_.version = 2;
      List2();
    }
    SortByNumber();
    return std::move(listing_);
  }

 private:
  // NWB 1: responses and stimuli have the same name (MIES: "..._AD0" and "..._DA0").
  void List1() {
    for (const std::string& name : file_.Children("/acquisition/timeseries")) {
      Series series{.response = "/acquisition/timeseries/" + name};
      SweepInfo sweep{.name = name, .number = NumberOf(name)};
      std::string stimulus = "/stimulus/presentation/" + name;
      const std::size_t channel = stimulus.find("_AD");
      if (name.starts_with("data_") && channel != std::string::npos) {
        stimulus.replace(channel, 3, "_DA");
      }
      if (file_.Exists(stimulus + "/data")) series.stimulus = stimulus;
      series.no_stimulus = "the file has no stimulus for this sweep";
      if (sweep.number) {
        const std::string epoch = fmt::format("/epochs/Experiment_{}", *sweep.number);
        if (file_.Exists(epoch)) series.experiment = epoch;
      }
      sweep.description = Description1(series);
      Add(std::move(sweep), std::move(series));
    }
  }

  std::string Description1(const Series& series) const {
    for (const char* name :
         {"/aibs_stimulus_name", "/aibs_stimulus_description", "/stimulus_description"}) {
      for (const std::string& group : {series.stimulus, series.response}) {
        if (group.empty()) continue;
        const std::vector<std::string> texts = file_.Texts(group + name);
        if (!texts.empty() && !texts.front().empty()) return texts.front();
      }
    }
    return "";
  }

  // NWB 2: a stimulus belongs to the response with its sweep number and electrode.
  void List2() {
    std::vector<Stimulus> stimuli;
    for (const std::string& name : file_.Children("/stimulus/presentation")) {
      const std::string path = "/stimulus/presentation/" + name;
      if (!file_.Exists(path + "/data")) continue;
      stimuli.push_back({path, name, Number2(path, name), file_.ObjectId(path + "/electrode"),
                         file_.ObjectId(path)});
    }
    ReadPairs();
    std::vector<SweepInfo> sweeps;
    for (const std::string& name : file_.Children("/acquisition")) {
      const std::string path = "/acquisition/" + name;
      if (!file_.Exists(path + "/data")) continue;
      const std::string type = file_.TextAttribute(path, "neurodata_type").value_or("");
      SweepInfo sweep{.name = name, .number = Number2(path, name)};
      sweep.description = file_.TextAttribute(path, "stimulus_description").value_or("");
      if (type != "CurrentClampSeries" && type != "IZeroClampSeries") {
        sweep.problem = fmt::format("it is no current-clamp series but '{}'", type);
      }
      sweeps.push_back(std::move(sweep));
    }
    const auto usable = std::count_if(sweeps.begin(), sweeps.end(),
                                      [](const SweepInfo& sweep) { return sweep.problem.empty(); });
    for (SweepInfo& sweep : sweeps) {
      Series series{.response = "/acquisition/" + sweep.name};
      series.stimulus = StimulusOf(series.response, sweep, stimuli, usable == 1);
      series.no_stimulus = stimuli.empty()
                               ? "the file has no stimulus for this sweep"
                               : fmt::format(
                                     "which of the file's {} stimuli is this sweep's cannot be "
                                     "told: neither a table nor its sweep number or name says so",
                                     stimuli.size());
      Add(std::move(sweep), std::move(series));
    }
  }

  void ReadPairs() {
    const auto responses = file_.SeriesReferences(kPairs + "/responses/response");
    const auto stimuli = file_.SeriesReferences(kPairs + "/stimuli/stimulus");
    for (std::size_t i = 0; i < std::min(responses.size(), stimuli.size()); ++i) {
      if (responses[i] && stimuli[i]) stimulus_of_[*responses[i]] = *stimuli[i];
    }
  }

  // The stimulus that the table pairs with a response.
  const Stimulus* Paired(const std::string& response, const std::vector<Stimulus>& stimuli) const {
    const auto pair = stimulus_of_.find(file_.ObjectId(response).value_or(0));
    if (pair == stimulus_of_.end()) return nullptr;
    const auto found = std::find_if(stimuli.begin(), stimuli.end(), [&](const Stimulus& stimulus) {
      return stimulus.id == pair->second;
    });
    return found == stimuli.end() ? nullptr : &*found;
  }

  std::optional<std::int64_t> Number2(const std::string& path, const std::string& name) const {
    const std::optional<double> number = file_.NumberAttribute(path, "sweep_number");
    if (number && *number >= 0 && *number < kNoSweep) return static_cast<std::int64_t>(*number);
    return NumberOf(name);
  }

  // `alone`: the sweep is the only one in the file, so the only stimulus is its own, too.
  std::string StimulusOf(const std::string& response, const SweepInfo& sweep,
                         const std::vector<Stimulus>& stimuli, bool alone) const {
    if (const Stimulus* paired = Paired(response, stimuli)) return paired->path;
    std::vector<const Stimulus*> same;
    for (const Stimulus& stimulus : stimuli) {
      if (sweep.number && stimulus.number == sweep.number) same.push_back(&stimulus);
    }
    const std::optional<std::uint64_t> electrode = file_.ObjectId(response + "/electrode");
    if (same.size() > 1) {
      std::erase_if(same, [&](const Stimulus* stimulus) {
        return !electrode || stimulus->electrode != electrode;
      });
    }
    if (same.size() == 1) return same.front()->path;
    for (const Stimulus& stimulus : stimuli) {
      if (stimulus.name == sweep.name) return stimulus.path;
    }
    if (!alone || stimuli.size() != 1 || !sweep.problem.empty()) return "";
    const Stimulus& only = stimuli.front();
    const bool other_number = sweep.number && only.number;
    const bool other_electrode = electrode && only.electrode && electrode != only.electrode;
    return other_number || other_electrode ? "" : only.path;
  }

  void Add(SweepInfo sweep, Series series) {
    const Result<std::size_t> length = file_.Length(series.response + "/data");
    sweep.has_current = !series.stimulus.empty();
    if (length) {
      sweep.samples = *length;
    } else if (sweep.problem.empty()) {
      sweep.problem = length.error().message;
    }
    sweep.rate_khz =
        file_.NumberAttribute(series.response + "/starting_time", "rate").value_or(0) / 1000;
    if (sweep.problem.empty()) {
      const auto unit = DeclaredUnit(file_, series.response);
      if (unit && !UnitScale(Signal::kVoltage, *unit)) {
        sweep.problem = fmt::format("its response is in '{}', not a voltage", *unit);
      }
    }
    listing_.sweeps.push_back(std::move(sweep));
    listing_.series.push_back(std::move(series));
  }

  void SortByNumber() {
    std::vector<std::size_t> order(listing_.sweeps.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return listing_.sweeps[a].number.value_or(-1) < listing_.sweeps[b].number.value_or(-1);
    });
    std::vector<SweepInfo> sweeps;
    std::vector<Series> series;
    for (const std::size_t i : order) {
      sweeps.push_back(std::move(listing_.sweeps[i]));
      series.push_back(std::move(listing_.series[i]));
    }
    listing_.sweeps = std::move(sweeps);
    listing_.series = std::move(series);
  }

  const Hdf5File& file_;
  std::map<std::uint64_t, std::uint64_t> stimulus_of_;  // Ids: stimulus by response.
  Listing listing_;
};

}  // namespace

Listing ListSweeps(const Hdf5File& file) { return Lister(file).List(); }

std::optional<std::string> DeclaredUnit(const Hdf5File& file, const std::string& group) {
  auto unit = file.TextAttribute(group + "/data", "unit");
  if (unit && (unit->empty() || *unit == "unknown")) return std::nullopt;
  return unit;
}

}  // namespace inferon::nwb
