// SPDX-License-Identifier: Apache-2.0
#ifndef FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_BAND_HPP
#define FUSEDCONV_SRC_CONVOLUTION_TENSOR_CORE_BAND_HPP

#include <cuda.h>

#include <cstdint>

#include "tensor_core_pass_configuration.hpp"
#include "tensor_core_statistics.hpp"

namespace fusedconv::detail {

/// Two rows of input, a band, on their way from global memory to float16 in shared memory. An
/// output tile of two rows needs two bands, of which the next one below needs the lower.
///
/// In shared memory 8 channels of a pixel lie together, with split the low halves of a band behind
/// its high ones: as wgmma takes them.
///
/// The scale of a tile follows from the largest magnitude of its bands, in steps of 2^4, so that
/// tiles below one another seldom differ in it: where they do, the band that they share is fetched
/// and converted again.
template <class C>
class TensorCoreBands : public TensorCoreStatistics<C> {
 protected:
  using Base = TensorCoreStatistics<C>;
  using Base::address_of;
  using Base::copy_4;
  using Base::count;
  using Base::is_imprecise;
  using Base::lane;
  using Base::power_of_two;
  using Base::put;
  using Base::synchronize;
  using Base::t;
  using Base::thread;
  using Base::warp;

  __device__ TensorCoreBands(const TensorCoreTask& task, const CUtensorMap& map)
      : Base(task), input(map) {}

  __device__ static TensorCorePassShared<C>& shared() {
    return *reinterpret_cast<TensorCorePassShared<C>*>(tensor_core_shared);
  }

  __device__ void prepare_to_fetch() const {
    if (thread == 0) {
      asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(address_of(&shared().fetched))
                   : "memory");
      asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    }
  }

  /// Starts copying a band, zeros around the image. \param band counted from the strip's first
  __device__ void fetch(const TensorCoreTile& strip, int band) const {
    const int top = strip.row - t.padding_height + band * C::band_rows;
    const int left = (strip.column - t.padding_width) & (t.begins_with_words ? ~3 : ~0);
    const int planes = strip.image * t.groups + strip.group;
    if (!t.copies_in_bulk) return copy(planes, top, left);
    if (thread == 0) {
      const unsigned barrier = address_of(&shared().fetched);
      asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier),
                   "n"(sizeof(shared().raw))
                   : "memory");
      asm volatile(
          "cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes "
          "[%0], [%1, {%2, %3, %4, %5}], [%6];" ::"r"(address_of(shared().raw)),
          "l"(&input), "r"(left), "r"(top), "r"(0), "r"(planes), "r"(barrier)
          : "memory");
    }
  }

  __device__ void await_band() {
    if (!t.copies_in_bulk) {
      Base::await_load();
      synchronize();
      return;
    }
    asm volatile(
        "{\n.reg .pred p;\n"
        "AGAIN:\n"
        "mbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1;\n"
        "@!p bra AGAIN;\n}" ::"r"(address_of(&shared().fetched)),
        "r"(parity)
        : "memory");
    parity ^= 1;
  }

  /// What a thread has of a band: two columns of a row, and in the first warps, a row each, a value
  /// beside them.
  struct Values {
    float column[2][8];
    float edge;

    template <class Function>
    __device__ void for_each(Function function) const {
#pragma unroll
      for (int c = 0; c < 8; ++c) {
        function(column[0][c]);
        function(column[1][c]);
      }
      function(edge);
    }
  };

  __device__ Values read_band() const {
    Values values;
#pragma unroll
    for (int c = 0; c < 8; ++c) {
      const float2 word = *reinterpret_cast<const float2*>(&shared().raw[c][row()][raw_column()]);
      values.column[0][c] = word.x;
      values.column[1][c] = word.y;
    }
    values.edge = has_edge() ? shared().raw[lane % 8][warp][raw_edge_column()] : 0;
    return values;
  }

  /// The largest magnitude of a band. Has a barrier.
  __device__ unsigned largest_of(const Values& values) const {
    unsigned high = 0;
    values.for_each([&](float v) { high = max(high, magnitude_of(v)); });
    high = __reduce_max_sync(0xffffffffu, high);
    if (lane == 0) shared().largest[warp] = high;
    synchronize();
    for (const unsigned of_warp : shared().largest) high = max(high, of_warp);
    return high;
  }

  /// The biased exponent that stands for all magnitudes of a step up to this one. Steps begin
  /// where the largest values of a tile are seldom: not at 1, and not at 4, which the largest of
  /// some thousand normally distributed ones is close to.
  __device__ static int exponent_of(unsigned high) {
    return (static_cast<int>((high >> 23) + 2) & ~3) + 1;
  }

  /// Converts a band. Returns how many threads met values too small for the scale. Has a barrier,
  /// after which the band may be multiplied and another one fetched.
  __device__ int convert(const Values& values, int slot, int exponent) const {
    const float scale = power_of_two(254 + C::top - exponent);
    unsigned low = ~0u;
    values.for_each([&](float v) { low = min(low, magnitude_of(v) - 1); });
    const int column = raw_column() - t.first_place;
    uint4* const target = shared().bands[slot] + row() * C::band_pitch + column;
    if (column >= 0) put(target, C::low_halves, values.column[0], scale);
    put(target + 1, C::low_halves, values.column[1], scale);
    if (has_edge()) put_edge(slot, values.edge * scale);
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    return count(is_imprecise(low, exponent));
  }

  const CUtensorMap& input;

 private:
  __device__ static unsigned magnitude_of(float value) {
    return __float_as_uint(value) & 0x7fffffffu;
  }
  /// A thread has two columns of a row, all channels; they begin with a word of 8 bytes.
  static constexpr int pairs_of_row = C::tile_width / 2;
  static_assert(C::threads == C::band_rows * pairs_of_row);
  __device__ int row() const { return thread / pairs_of_row; }
  __device__ int raw_column() const { return (t.first_place & ~1) + 2 * (thread % pairs_of_row); }

  /// The columns beside, up to three that the kernel needs: a value for each lane.
  __device__ bool has_edge() const { return warp < C::band_rows; }
  __device__ int raw_edge_column() const { return (t.first_place & ~1) + C::tile_width + lane / 8; }
  __device__ void put_edge(int slot, float value) const {
    const int place = warp * C::band_pitch + raw_edge_column() - t.first_place;
    auto* const target = reinterpret_cast<std::uint16_t*>(shared().bands[slot] + place) + lane % 8;
    std::uint16_t high;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(high) : "f"(value));
    *target = high;
    if constexpr (C::split) {
      float rounded;
      std::uint16_t low;
      asm("cvt.f32.f16 %0, %1;" : "=f"(rounded) : "h"(high));
      asm("cvt.rn.f16.f32 %0, %1;" : "=h"(low) : "f"(value - rounded));
      target[C::low_halves * 8] = low;
    }
  }

  /// The same as fetch() by all threads, for input whose rows bulk copies do not take.
  __device__ void copy(int planes, int top, int left) const {
    const float* const source =
        t.x + static_cast<std::int64_t>(planes) * t.group_in_channels * t.input_plane;
    constexpr int floats = C::band_rows * C::raw_pitch;
#pragma unroll 1
    for (int i = thread; i < 8 * floats; i += C::threads) {
      const int channel = i / floats;
      const int line = i % floats / C::raw_pitch;
      const int column = left + i % C::raw_pitch;
      const int row = top + line;
      const bool exists = channel < t.group_in_channels && static_cast<unsigned>(row) < t.height &&
                          static_cast<unsigned>(column) < t.width;
      copy_4(address_of(&shared().raw[0][0][0]) + i * 4,
             exists ? source + channel * t.input_plane + static_cast<std::int64_t>(row) * t.width +
                          column
                    : t.x,
             exists);
    }
  }

  int parity = 0;
};

}  // namespace fusedconv::detail

#endif
