// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_ROW_ACTIVATION_HPP
#define FUSEDCONV_SRC_ROW_ACTIVATION_HPP

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "activation.hpp"
#include "float_vector.hpp"
#include "moments.hpp"
#include "sigmoid.hpp"

namespace fusedconv::detail {

/// activation((z + bias) * scale) of one channel's rows in a tile, on the host, and the moments of
/// all of them.
///
/// The bias is added last, to a finished sum of products: a sum that begins with it rounds each
/// product to the bias's digits, which doubled the error of `headline`. It is scaled beforehand, so
/// that a multiply-add takes both, but where that is infinite or NaN: (z + bias) * scale need not
/// be.
///
/// Sums are of deviations from a pivot and of their squares. The pivot is the mean of the first
/// columns: so far from it that cancellation would cost digits, the mean of n values can only be
/// where those columns themselves add much to the squared deviations. With k of them the loss is at
/// most n / k times the rounding of one operation. Constant rows stay exact.
class RowActivation {
 public:
  explicit RowActivation(float bias = 0, float scale = 1,
                         Activation activation = Activation::sigmoid)
      : scale_(scale), offset_(bias * scale), activation_(activation) {
    if (std::isfinite(scale) && std::isfinite(offset_)) return;
    adds_bias_first_ = true;
    first_bias_ = bias;
    first_scale_ = scale;
    scale_ = 1;
    offset_ = 0;
  }

  /// \param z       (columns), readable up to whole vectors; may be changed
  /// \param columns at least 1
  /// \param s       (columns), receives the activations
  [[gnu::noinline]] void operator()(float* z, std::int64_t columns, float* s) {
    if (adds_bias_first_) {
      for (std::int64_t i = 0; i < columns; ++i) z[i] = (z[i] + first_bias_) * first_scale_;
    }
    std::int64_t first = 0;
    if (count_ == 0) {
      first = std::min<std::int64_t>(columns, 64);
      pivot_ = activated(z[0]);
      activate(z, first, s);
      const double first_sum = sum(running_.deviations);
      pivot_ = static_cast<float>(pivot_ + first_sum / static_cast<double>(first));
      running_ = deviations_of(s, first);
    }
    if (first < columns) activate(z + first, columns - first, s + first);
    count_ += columns;
    vectors_added_ += (columns + vector_length - 1) / vector_length;
    // Long sums of floats lose digits.
    if (vectors_added_ >= 64) flush();
  }

  /// Of all rows so far.
  Moments moments() {
    flush();
    const double count = static_cast<double>(count_);
    const double mean = deviations_ / count;
    return {count, pivot_ + mean, std::max(0.0, squares_ - deviations_ * mean)};
  }

 private:
  // There is nothing to move, nor to destroy.
  // NOLINTNEXTLINE(cppcoreguidelines-special-member-functions)
  struct Sums {
    FloatVector deviations;
    FloatVector squares;

    // Member by member: as a whole the compiler copies it in halves, which no load of a whole
    // vector can take from the stores under way.
    Sums(FloatVector of_deviations, FloatVector of_squares)
        : deviations(of_deviations), squares(of_squares) {}
    Sums(const Sums& other) : Sums(other.deviations, other.squares) {}
    Sums& operator=(const Sums& other) {
      deviations = other.deviations;
      squares = other.squares;
      return *this;
    }

    static Sums zero() { return {broadcast<FloatVector>(0.0f), broadcast<FloatVector>(0.0f)}; }

    void add(FloatVector deviation) {
      deviations += deviation;
      squares += deviation * deviation;
    }
  };

  /// sigmoid() of the usual range, which remembers whether that was enough.
  struct UsualSigmoid {
    using Range = UsualSigmoidRange<FloatVector>;

    UnsignedVector arguments = broadcast<UnsignedVector>(0U);

    FloatVector operator()(FloatVector a) {
      arguments |= Range::bits(a);
      return sigmoid<SigmoidRange::usual>(a);
    }
    bool was_right() const { return !any(Range::is_left(arguments)); }
  };

  void activate(const float* z, std::int64_t columns, float* s) {
    if (activation_ == Activation::sigmoid) {
      UsualSigmoid usual;
      const Sums sums = activate_by(usual, z, columns, s);
      if (usual.was_right()) {
        running_ = sums;
        return;
      }
    }
    with_activation(activation_,
                    [&](auto known) { activate_as<decltype(known)::value>(z, columns, s); });
  }

  // Functions of their own, for their constants would take registers from sigmoid's.

  template <Activation activation>
  [[gnu::noinline, gnu::flatten]] void activate_as(const float* z, std::int64_t columns, float* s) {
    const auto function = [](FloatVector a) { return fusedconv::detail::activate<activation>(a); };
    running_ = activate_by(function, z, columns, s);
  }

  [[gnu::noinline]] float activated(float z) const {
    return with_activation(activation_, [&](auto known) {
      return fusedconv::detail::activate<decltype(known)::value>(z * scale_ + offset_);
    });
  }

  /// \param function of a vector
  /// \return the sums with those of the row
  template <class Function>
  Sums activate_by(Function& function, const float* z, std::int64_t columns, float* s) const {
    Sums sums = running_;
    // Constants that no store to s can be taken to change.
    const FloatVector scale = broadcast<FloatVector>(scale_);
    const FloatVector offset = broadcast<FloatVector>(offset_);
    const FloatVector pivot = broadcast<FloatVector>(pivot_);
    const auto activate_vector = [&](std::int64_t i) {
      return function(load(z + i) * scale + offset);
    };
    std::int64_t i = 0;
    for (; i + vector_length <= columns; i += vector_length) {
      const FloatVector value = activate_vector(i);
      store(s + i, value);
      sums.add(value - pivot);
    }
    const std::int64_t left = columns - i;
    if (left > 0 && i > 0) {
      // The last whole vector of the row once more, of which the sums take what is new.
      const std::int64_t last = columns - vector_length;
      const FloatVector value = activate_vector(last);
      store(s + last, value);
      sums.add(lanes_between(value - pivot, vector_length - left, vector_length));
    } else if (left > 0) {
      const FloatVector value = activate_vector(0);
      std::copy_n(reinterpret_cast<const float*>(&value), left, s);
      sums.add(lanes_between(value - pivot, 0, left));
    }
    return sums;
  }

  Sums deviations_of(const float* s, std::int64_t columns) const {
    Sums sums = Sums::zero();
    const FloatVector pivot = broadcast<FloatVector>(pivot_);
    std::int64_t i = 0;
    for (; i + vector_length <= columns; i += vector_length) sums.add(load(s + i) - pivot);
    if (i < columns) {
      FloatVector value = broadcast<FloatVector>(0.0f);
      std::copy_n(s + i, columns - i, reinterpret_cast<float*>(&value));
      sums.add(lanes_between(value - pivot, 0, columns - i));
    }
    return sums;
  }

  void flush() {
    deviations_ += sum(running_.deviations);
    squares_ += sum(running_.squares);
    running_ = Sums::zero();
    vectors_added_ = 0;
  }

  float scale_;
  float offset_;
  Activation activation_;
  bool adds_bias_first_ = false;
  float first_bias_ = 0;
  float first_scale_ = 1;
  float pivot_ = 0;
  Sums running_ = Sums::zero();
  std::int64_t vectors_added_ = 0;
  std::int64_t count_ = 0;
  double deviations_ = 0;
  double squares_ = 0;
};

}  // namespace fusedconv::detail

#endif
