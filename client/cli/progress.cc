#include "client/cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "client/cli/format.h"

namespace inferon::cli {
namespace {

constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::chrono::seconds kPlainLine{10};
constexpr std::chrono::seconds kRateWindow{30};
constexpr int kLongestBar = 30;
constexpr int kShortestBar = 5;

std::string RateText(double rate) {
  if (rate <= 0) return {};
  if (rate < 9.95) return fmt::format("{:.1f}/s", rate);
  return FormatCount(static_cast<std::uint64_t>(std::llround(rate))) + "/s";
}

void Add(std::string& text, const std::string& part) {
  if (part.empty()) return;
  if (!text.empty()) text += "  ";
  text += part;
}

// Everything right of the bar.
std::string Figures(const ProgressState& state) {
  std::string text;
  if (state.total > 0) {
    Add(text, fmt::format("{:3} %", std::min<std::uint64_t>(100, 100 * state.done / state.total)));
    Add(text,
        fmt::format("{}/{} {}", FormatCount(state.done), FormatCount(state.total), state.unit));
  } else {
    Add(text, fmt::format("{} {}", FormatCount(state.done), state.unit));
  }
  Add(text, RateText(state.rate));
  if (state.total > 0 && state.done >= state.total) {
    Add(text, FormatDuration(state.elapsed_seconds));
  } else if (state.total > state.done && state.rate > 0) {
    const double left = static_cast<double>(state.total - state.done) / state.rate;
    Add(text, FormatDuration(left) + " left");
  }
  Add(text, state.note);
  return text;
}

// Cuts to a number of columns without splitting a UTF-8 sequence.
std::string Cut(std::string text, int width) {
  while (DisplayWidth(text) > width) {
    do {
      const bool tail = (static_cast<unsigned char>(text.back()) & 0xC0u) == 0x80u;
      text.pop_back();
      if (!tail) break;
    } while (!text.empty());
  }
  return text;
}

}  // namespace

std::string RenderBar(const ProgressState& state, int width) {
  const std::string figures = Figures(state);
  const int room = width - DisplayWidth(state.title) - DisplayWidth(figures) - 6;
  const int cells = std::min(room, kLongestBar);
  std::string text = state.title;
  if (state.total > 0 && cells >= kShortestBar) {
    const double share =
        std::min(1.0, static_cast<double>(state.done) / static_cast<double>(state.total));
    const auto full = static_cast<std::size_t>(share * cells);
    std::string bar(static_cast<std::size_t>(cells), '-');
    bar.replace(0, full, full, '#');
    Add(text, fmt::format("[{}]", bar));
  }
  Add(text, figures);
  return Cut(text, width);
}

std::string RenderLine(const ProgressState& state) {
  std::string text = state.title;
  Add(text, Figures(state));
  return text;
}

Progress::Progress(Console& console, Clock& clock, std::string title, std::string unit)
    : console_(console), clock_(clock), start_(clock.Now()) {
  state_.title = std::move(title);
  state_.unit = std::move(unit);
}

Progress::~Progress() {
  if (open_) console_.err() << '\n' << std::flush;
}

void Progress::Update(std::uint64_t done, std::uint64_t total, const std::string& note) {
  if (console_.settings().json) return;
  const SteadyTime now = clock_.Now();
  samples_.push_back({now, done});
  while (samples_.size() > 2 && now - samples_.front().time > kRateWindow) samples_.pop_front();
  state_.done = done;
  state_.total = total;
  state_.note = note;
  stale_ = true;
  const auto pause = console_.settings().terminal ? std::chrono::nanoseconds(kRedraw)
                                                  : std::chrono::nanoseconds(kPlainLine);
  if (!shown_ || now - *shown_ >= pause) Show();
}

void Progress::Finish() {
  if (stale_) Show();
  if (open_) console_.err() << '\n' << std::flush;
  open_ = false;
}

void Progress::Show() {
  const SteadyTime now = clock_.Now();
  state_.rate = Rate();
  state_.elapsed_seconds = std::chrono::duration<double>(now - start_).count();
  if (console_.settings().terminal) {
    console_.err() << "\r\x1b[2K" << RenderBar(state_, console_.settings().width - 1) << std::flush;
    open_ = true;
  } else {
    console_.err() << RenderLine(state_) << '\n' << std::flush;
  }
  shown_ = now;
  stale_ = false;
}

double Progress::Rate() const {
  if (samples_.size() < 2) return 0;
  const Sample& first = samples_.front();
  const Sample& last = samples_.back();
  const double seconds = std::chrono::duration<double>(last.time - first.time).count();
  if (seconds <= 0 || last.done < first.done) return 0;
  return static_cast<double>(last.done - first.done) / seconds;
}

}  // namespace inferon::cli
