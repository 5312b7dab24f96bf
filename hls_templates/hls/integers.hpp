// Integers of a given width: arbitrary-precision types in synthesis, the machine's own types in C simulation.
//
// Both hold every value that the cores compute (their widths come from exact range analysis), so both give the same
// results; the machine's types let the compiler use vector instructions.
#ifndef SPIKEFOLD_INTEGERS_HPP
#define SPIKEFOLD_INTEGERS_HPP

#include <ap_int.h>

#include <cstdint>
#include <type_traits>

namespace spikefold {

#ifdef __SYNTHESIS__
template <int BITS>
using signed_int = ap_int<BITS>;
template <int BITS>
using unsigned_int = ap_uint<BITS>;
template <int BITS>
using factor_int = ap_int<BITS>;
#else
template <int BITS>
using signed_int = typename std::conditional<(BITS <= 32), std::int32_t, std::int64_t>::type;
template <int BITS>
using unsigned_int = typename std::conditional<(BITS <= 32), std::uint32_t, std::uint64_t>::type;
// Factors of products: 16 bits where they fit, for multiply-add instructions.
template <int BITS>
using factor_int = typename std::conditional<(BITS <= 16), std::int16_t, std::int32_t>::type;
#endif

// Lane `index` of BITS bits in an array of 64-bit words; lanes do not straddle words.
template <int BITS>
inline std::int64_t signed_lane(const std::uint64_t* words, int index) {
#pragma HLS INLINE
    const int first = index * BITS;
    const std::uint64_t top_aligned = words[first / 64] << (64 - BITS - first % 64);
    return static_cast<std::int64_t>(top_aligned) >> (64 - BITS);
}

// Number of ones of a spike train.
template <int BITS>
inline unsigned count_spikes(unsigned_int<BITS> train) {
#pragma HLS INLINE
    unsigned count = 0;
    for (int t = 0; t < BITS; ++t) {
#pragma HLS UNROLL
        count += static_cast<unsigned>((train >> t) & 1U);
    }
    return count;
}

}  // namespace spikefold

#endif
