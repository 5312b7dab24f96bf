// Sum pooling of spike trains or counts, step by step, over windows that do not overlap.
#ifndef SPIKEFOLD_SUM_POOL_HPP
#define SPIKEFOLD_SUM_POOL_HPP

#include <ap_int.h>
#include <hls_stream.h>

#include "integers.hpp"
#include "pool_windows.hpp"

namespace spikefold {

// P is a struct of the constants of pool_windows.hpp, and
//   T           time steps of an element
//   STEP_BITS   bits of one step of an input, 1 for spike trains
//   SUM_BITS    bits of one step of an output; they hold the sum of a window
template <typename P>
struct sum_windows {
    static constexpr int STEPS = P::PE * P::T;
    unsigned_int<P::SUM_BITS> sums[window_row<P>::WORDS][STEPS];

    void add(int index, const ap_uint<STEPS * P::STEP_BITS>& word, bool first) {
#pragma HLS INLINE
        unsigned_int<P::STEP_BITS> values[STEPS];
        unpack_lanes<STEPS, P::STEP_BITS>(word, 0, values);
        for (int step = 0; step < STEPS; ++step) {
#pragma HLS UNROLL
            const unsigned_int<P::SUM_BITS> before = first ? unsigned_int<P::SUM_BITS>(0) : sums[index][step];
            sums[index][step] = static_cast<unsigned_int<P::SUM_BITS>>(before + values[step]);
        }
    }
    ap_uint<STEPS * P::SUM_BITS> result(int index) const {
#pragma HLS INLINE
        return pack_lanes<STEPS, P::SUM_BITS>(sums[index]);
    }
};

template <typename P>
void sum_pool(hls::stream<ap_uint<P::PE * P::T * P::STEP_BITS>>& in,
              hls::stream<ap_uint<P::PE * P::T * P::SUM_BITS>>& out) {
    sum_windows<P> windows;
#pragma HLS ARRAY_PARTITION variable = windows.sums complete dim = 2
    pool_windows<P>(in, out, windows);
}

}  // namespace spikefold

#endif
