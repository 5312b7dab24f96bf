// Copies a stream to several outputs.
//
// P is a struct of constants
//   WORDS    words per frame
// Trips per frame: WORDS
#ifndef SPIKEFOLD_STREAM_FORK_HPP
#define SPIKEFOLD_STREAM_FORK_HPP

#include <ap_int.h>
#include <hls_stream.h>

#include "trip_count.hpp"

namespace spikefold {

template <typename P, int BITS, typename... Outputs>
void stream_fork(hls::stream<ap_uint<BITS>>& in, Outputs&... outputs) {
    for (unsigned index = 0; index < P::WORDS; ++index) {
#pragma HLS PIPELINE II = 1
        SPIKEFOLD_TRIP();
        const ap_uint<BITS> word = in.read();
        const int written[] = {(outputs.write(word), 0)...};
        (void)written;
    }
}

}  // namespace spikefold

#endif
