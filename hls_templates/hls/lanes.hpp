// Integers that lie beside each other in a stream's word.
#ifndef SPIKEFOLD_LANES_HPP
#define SPIKEFOLD_LANES_HPP

#include <ap_int.h>

#include <cstdint>

#include "integers.hpp"

namespace spikefold {

// Lane `index` of BITS bits, at most 62.
template <int BITS, bool SIGNED, int WORD_BITS>
inline signed_int<BITS + 1> lane_value(const ap_uint<WORD_BITS>& word, int index) {
#pragma HLS INLINE
    const std::uint64_t bits = word.range((index + 1) * BITS - 1, index * BITS).to_uint64();
    const std::int64_t top_aligned = static_cast<std::int64_t>(bits << (64 - BITS));
    return static_cast<signed_int<BITS + 1>>(SIGNED ? top_aligned >> (64 - BITS) : static_cast<std::int64_t>(bits));
}

}  // namespace spikefold

#endif
