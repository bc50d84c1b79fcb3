// Classifier two-sample test: how well a small network tells two samples apart. 0.5: not at all.
#pragma once

#include <cstdint>
#include <span>

namespace inferon::sbibm {

// Mean accuracy over 5 folds of a network with two hidden layers of 10 d ReLU units, trained like
// scikit-learn's MLPClassifier with its defaults (Adam 1e-3, batches of 200, L2 1e-4, until the
// loss has not fallen by 1e-4 for 10 epochs). Both samples ([rows, d], as many rows each) are
// standardised by the mean and deviation of `reference`.
double C2st(std::span<const double> reference, std::span<const double> sample, std::size_t d,
            std::uint64_t seed);

}  // namespace inferon::sbibm
