#include "server/trainer/queries/mixture_proposal.h"

#include <cmath>
#include <numbers>

#include "server/trainer/estimators/draws.h"

namespace inferon::trainer {
namespace {

constexpr double kFreedom = 4;      // Of Student's t.
constexpr double kWideShare = 0.1;  // Of the wide kernel.
constexpr double kRidge = 1e-6;
constexpr double kHalfStep = 0x1p-25;  // Uniform numbers have 24 bits.

// Of a t of unit covariance factor in d dimensions, at its centre.
double LogNorm(std::size_t d) {
  const double n = static_cast<double>(d);
  return std::lgamma((kFreedom + n) / 2) - std::lgamma(kFreedom / 2) -
         n / 2 * std::log(kFreedom * std::numbers::pi);
}

double LogKernel(double squares, std::size_t d) {
  return -(kFreedom + static_cast<double>(d)) / 2 * std::log1p(squares / kFreedom);
}

}  // namespace

MixtureProposal::MixtureProposal(std::vector<double> centres, std::vector<double> covariance,
                                 Wide wide)
    : columns_(wide.centre.size()),
      centres_(std::move(centres)),
      kernel_(std::move(covariance), columns_, kRidge),
      whitened_(centres_),
      wide_(std::move(wide)) {
  for (std::size_t at = 0; at < whitened_.size(); at += columns_) {
    kernel_.SolveLower(std::span(whitened_).subspan(at, columns_));
  }
  const double kernels = static_cast<double>(centres_.size() / columns_);
  log_norm_ =
      LogNorm(columns_) - kernel_.LogDeterminant() / 2 + std::log((1 - kWideShare) / kernels);
  log_wide_norm_ = LogNorm(columns_) + std::log(kWideShare);
  for (const double width : wide_.width) log_wide_norm_ -= std::log(width);
}

std::vector<double> MixtureProposal::Draw(PhiloxKey key, std::uint64_t first,
                                          std::size_t count) const {
  const std::size_t words = columns_ + 3;
  std::vector<float> uniform(count * words);
  estimators::FillUniform(key, 0, first * words, uniform);
  const std::size_t kernels = centres_.size() / columns_;
  std::vector<double> places(count * columns_);
  for (std::size_t i = 0; i < count; ++i) {
    const float* own = uniform.data() + i * words;
    const auto place = std::span(places).subspan(i * columns_, columns_);
    // Chi-squared with four degrees of freedom.
    const double chi = -2 * (std::log(own[1] + kHalfStep) + std::log(own[2] + kHalfStep));
    const double stretch = std::sqrt(kFreedom / chi);
    for (std::size_t j = 0; j < columns_; ++j) {
      place[j] = stretch * estimators::NormalQuantile(own[3 + j] + kHalfStep);
    }
    if (own[0] < kWideShare) {
      for (std::size_t j = 0; j < columns_; ++j) {
        place[j] = wide_.centre[j] + wide_.width[j] * place[j];
      }
      continue;
    }
    const double share = (own[0] - kWideShare) / (1 - kWideShare);
    const auto k =
        std::min(kernels - 1, static_cast<std::size_t>(share * static_cast<double>(kernels)));
    kernel_.MultiplyLower(place);
    for (std::size_t j = 0; j < columns_; ++j) place[j] += centres_[k * columns_ + j];
  }
  return places;
}

double MixtureProposal::LogDensity(std::span<const double> place) const {
  std::vector<double> y(place.begin(), place.end());
  kernel_.SolveLower(y);
  double sum = 0;
  for (std::size_t at = 0; at < whitened_.size(); at += columns_) {
    double squares = 0;
    for (std::size_t j = 0; j < columns_; ++j) {
      squares += (y[j] - whitened_[at + j]) * (y[j] - whitened_[at + j]);
    }
    sum += std::exp(LogKernel(squares, columns_));
  }
  double squares = 0;
  for (std::size_t j = 0; j < columns_; ++j) {
    const double v = (place[j] - wide_.centre[j]) / wide_.width[j];
    squares += v * v;
  }
  return std::log(sum * std::exp(log_norm_) +
                  std::exp(log_wide_norm_ + LogKernel(squares, columns_)));
}

}  // namespace inferon::trainer
