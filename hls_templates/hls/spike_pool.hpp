// OR pooling of spike trains over windows that do not overlap.
#ifndef SPIKEFOLD_SPIKE_POOL_HPP
#define SPIKEFOLD_SPIKE_POOL_HPP

#include <ap_int.h>
#include <hls_stream.h>

#include "trip_count.hpp"

namespace spikefold {

// P is a struct of constants:
//   HEIGHT, WIDTH, CHANNELS   input map, raster order, low channels first
//   KERNEL                    side and stride of the window
//   PE                        channels per stream word; divides CHANNELS
//   T                         time steps of a spike train
// One call reads HEIGHT*WIDTH*CHANNELS/PE words and writes (HEIGHT/KERNEL)*(WIDTH/KERNEL)*CHANNELS/PE words; rows and
// columns past the last full window are dropped.
template <typename P>
void spike_pool(hls::stream<ap_uint<P::PE * P::T>>& in, hls::stream<ap_uint<P::PE * P::T>>& out) {
    constexpr int FOLDS = P::CHANNELS / P::PE;
    constexpr int OUT_WIDTH = P::WIDTH / P::KERNEL;
    constexpr int OUT_HEIGHT = P::HEIGHT / P::KERNEL;

    ap_uint<P::PE * P::T> windows[OUT_WIDTH * FOLDS];

    int cf = 0;
    int x = 0;
    int y = 0;
    int inner_x = 0;
    int inner_y = 0;
    int window_x = 0;

    for (int fold = 0; fold < P::HEIGHT * P::WIDTH * FOLDS; ++fold) {
#pragma HLS PIPELINE II = 1
        SPIKEFOLD_TRIP();
        const ap_uint<P::PE * P::T> word = in.read();
        if (x < OUT_WIDTH * P::KERNEL && y < OUT_HEIGHT * P::KERNEL) {
            const int index = window_x * FOLDS + cf;
            ap_uint<P::PE * P::T> pooled = word;
            if (inner_x != 0 || inner_y != 0) {
                pooled |= windows[index];
            }
            windows[index] = pooled;
            if (inner_x == P::KERNEL - 1 && inner_y == P::KERNEL - 1) {
                out.write(pooled);
            }
        }

        if (cf < FOLDS - 1) {
            ++cf;
        } else {
            cf = 0;
            if (x < P::WIDTH - 1) {
                ++x;
                if (inner_x < P::KERNEL - 1) {
                    ++inner_x;
                } else {
                    inner_x = 0;
                    ++window_x;
                }
            } else {
                x = 0;
                inner_x = 0;
                window_x = 0;
                if (y < P::HEIGHT - 1) {
                    ++y;
                    inner_y = inner_y < P::KERNEL - 1 ? inner_y + 1 : 0;
                } else {
                    y = 0;
                    inner_y = 0;
                }
            }
        }
    }
}

}  // namespace spikefold

#endif
