// OR pooling of spike trains over windows that do not overlap.
#ifndef SPIKEFOLD_SPIKE_POOL_HPP
#define SPIKEFOLD_SPIKE_POOL_HPP

#include <ap_int.h>
#include <hls_stream.h>

#include "pool_windows.hpp"

namespace spikefold {

// Words that are joined by OR: a window spikes at a step where any of its inputs does.
template <typename P>
struct or_windows {
    using Word = ap_uint<P::PE * P::T>;
    Word words[window_row<P>::WORDS];

    void add(int index, const Word& word, bool first) {
#pragma HLS INLINE
        words[index] = first ? word : Word(word | words[index]);
    }
    const Word& result(int index) const { return words[index]; }
};

// P is a struct of the constants of pool_windows.hpp, and T: time steps of a spike train.
template <typename P>
void spike_pool(hls::stream<ap_uint<P::PE * P::T>>& in, hls::stream<ap_uint<P::PE * P::T>>& out) {
    or_windows<P> windows;
    pool_windows<P>(in, out, windows);
}

}  // namespace spikefold

#endif
