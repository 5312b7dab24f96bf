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
using unsigned_int = typename std::conditional<
    (BITS <= 8), std::uint8_t, typename std::conditional<(BITS <= 32), std::uint32_t, std::uint64_t>::type>::type;
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

// COUNT lanes of BITS bits, which divides 32, from lane `first` on, which COUNT divides; lanes do not straddle words.
// By 32 bits where that comes out even: compilers make vector instructions of it, and of single lanes slower ones.
template <int BITS, int COUNT, typename Lane>
inline void signed_lanes(const std::uint64_t* words, int first, Lane (&lanes)[COUNT]) {
#pragma HLS INLINE
    constexpr int AT_ONCE = COUNT % (32 / BITS) == 0 ? 32 / BITS : 1;
    if (AT_ONCE == 1) {
        for (int i = 0; i < COUNT; ++i) {
#pragma HLS UNROLL
            lanes[i] = static_cast<Lane>(signed_lane<BITS>(words, first + i));
        }
        return;
    }
    std::uint32_t parts[COUNT / AT_ONCE];
#pragma HLS ARRAY_PARTITION variable = parts complete
    for (int part = 0; part < COUNT / AT_ONCE; ++part) {
#pragma HLS UNROLL
        const int bit = first * BITS + 32 * part;
        parts[part] = static_cast<std::uint32_t>(words[bit / 64] >> (bit % 64));
    }
    for (int part = 0; part < COUNT / AT_ONCE; ++part) {
#pragma HLS UNROLL
        for (int i = 0; i < AT_ONCE; ++i) {
#pragma HLS UNROLL
            const std::uint32_t top_aligned = parts[part] << (32 - BITS - BITS * i);
            lanes[part * AT_ONCE + i] = static_cast<Lane>(static_cast<std::int32_t>(top_aligned) >> (32 - BITS));
        }
    }
}

// Lanes of BITS bits that are moved at once, through a 64-bit integer.
template <int BITS>
struct lanes_at_once {
    static constexpr int value = 64 / BITS;
};

// COUNT unsigned lanes of BITS bits, at most 32, of a word from its bit `low` up.
template <int COUNT, int BITS, int WIDTH>
inline void unpack_lanes(const ap_uint<WIDTH>& word, int low, unsigned_int<BITS> (&lanes)[COUNT]) {
#pragma HLS INLINE
    constexpr int AT_ONCE = lanes_at_once<BITS>::value;
    for (int first = 0; first < COUNT; first += AT_ONCE) {
#pragma HLS UNROLL
        const int count = COUNT - first < AT_ONCE ? COUNT - first : AT_ONCE;
        const std::uint64_t part = word.range(low + (first + count) * BITS - 1, low + first * BITS).to_uint64();
        for (int i = 0; i < count; ++i) {
#pragma HLS UNROLL
            lanes[first + i] = static_cast<unsigned_int<BITS>>((part >> (i * BITS)) & ((std::uint64_t(1) << BITS) - 1));
        }
    }
}

// A word of COUNT unsigned lanes of BITS bits, at most 32, that hold no more than that.
template <int COUNT, int BITS>
inline ap_uint<COUNT * BITS> pack_lanes(const unsigned_int<BITS> (&lanes)[COUNT]) {
#pragma HLS INLINE
    constexpr int AT_ONCE = lanes_at_once<BITS>::value;
    ap_uint<COUNT * BITS> word = 0;
    for (int first = 0; first < COUNT; first += AT_ONCE) {
#pragma HLS UNROLL
        const int count = COUNT - first < AT_ONCE ? COUNT - first : AT_ONCE;
        std::uint64_t part = 0;
        for (int i = 0; i < count; ++i) {
#pragma HLS UNROLL
            part |= static_cast<std::uint64_t>(lanes[first + i]) << (i * BITS);
        }
        word.range((first + count) * BITS - 1, first * BITS) = part;
    }
    return word;
}

// Sum of COUNT lanes of BITS bits of a word from its bit `low` up: the ones of a spike train where BITS is 1.
template <int COUNT, int BITS, int WIDTH>
inline unsigned sum_lanes(const ap_uint<WIDTH>& word, int low) {
#pragma HLS INLINE
    unsigned_int<BITS> lanes[COUNT];
    unpack_lanes<COUNT, BITS>(word, low, lanes);
    unsigned sum = 0;
    for (int t = 0; t < COUNT; ++t) {
#pragma HLS UNROLL
        sum += static_cast<unsigned>(lanes[t]);
    }
    return sum;
}

}  // namespace spikefold

#endif
