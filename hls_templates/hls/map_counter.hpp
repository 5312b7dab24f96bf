// Sums of each channel over all steps of a whole map (its spikes), for a read-out that multiplies once per channel and class.
#ifndef SPIKEFOLD_MAP_COUNTER_HPP
#define SPIKEFOLD_MAP_COUNTER_HPP

#include <hls_stream.h>

#include "integers.hpp"
#include "trip_count.hpp"

namespace spikefold {

// P is the struct of constants of spiking_mvau.hpp, with MAP_PIXELS above 1 and one vector per frame.
// One call reads MAP_PIXELS*SF words of SIMD elements of T integers of STEP_BITS and writes SF words of SIMD counts of COUNT_BITS.
template <typename P, int STEP_BITS = 1>
void map_counter(hls::stream<ap_uint<P::SIMD * P::T * STEP_BITS>>& in, hls::stream<ap_uint<P::SIMD * P::COUNT_BITS>>& vector) {
    constexpr int SF = P::MW / P::SIMD;
    using Count = unsigned_int<P::COUNT_BITS>;

    Count counts[SF][P::SIMD];
#pragma HLS ARRAY_PARTITION variable = counts complete dim = 2
#pragma HLS BIND_STORAGE variable = counts type = ram_2p impl = lutram

    // Loops of their own, so that it can be seen that a count is read SF trips after it was written.
    for (int pixel = 0; pixel < P::MAP_PIXELS; ++pixel) {
        for (int sf = 0; sf < SF; ++sf) {
#pragma HLS PIPELINE II = 1
            // The core behind works on the map before at the same time: the longer of both loops is the node's.
            if (P::MAP_PIXELS > P::MH / P::PE) {
                SPIKEFOLD_TRIP();
            }
            const ap_uint<P::SIMD * P::T * STEP_BITS> word = in.read();
            ap_uint<P::SIMD * P::COUNT_BITS> result = 0;
            for (int i = 0; i < P::SIMD; ++i) {
#pragma HLS UNROLL
                const Count before = pixel == 0 ? static_cast<Count>(0) : counts[sf][i];
                const Count count = static_cast<Count>(before + sum_lanes<P::T, STEP_BITS>(word, i * P::T * STEP_BITS));
                counts[sf][i] = count;
                result.range((i + 1) * P::COUNT_BITS - 1, i * P::COUNT_BITS) = ap_uint<P::COUNT_BITS>(count);
            }
            if (pixel == P::MAP_PIXELS - 1) {
                vector.write(result);
            }
        }
    }
}

}  // namespace spikefold

#endif
