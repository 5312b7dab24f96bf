// Zero padding of a feature map in NHWC raster order (FINN op FMPadding_rtl).
//
// One word out per trip; border words are zero, the others come from the input in order.
//
// P is a struct of constants
//   HEIGHT, WIDTH           rows and columns of the input map
//   FOLDS                   words per pixel (channels / SIMD)
//   TOP, LEFT, BOTTOM, RIGHT rows and columns of zeros on each side
//   WORD_BITS               width of a stream word (SIMD * element bits)
// Trips per frame: (TOP + HEIGHT + BOTTOM) * (LEFT + WIDTH + RIGHT) * FOLDS
#ifndef SPIKEFOLD_PADDING_HPP
#define SPIKEFOLD_PADDING_HPP

#include <ap_int.h>
#include <hls_stream.h>

#include "trip_count.hpp"

namespace spikefold {

template <typename P>
void padding(hls::stream<ap_uint<P::WORD_BITS>>& in, hls::stream<ap_uint<P::WORD_BITS>>& out) {
    constexpr unsigned ROWS = P::TOP + P::HEIGHT + P::BOTTOM;
    constexpr unsigned COLUMNS = P::LEFT + P::WIDTH + P::RIGHT;
    unsigned row = 0;
    unsigned column = 0;
    unsigned fold = 0;
    for (unsigned trip = 0; trip < ROWS * COLUMNS * P::FOLDS; ++trip) {
#pragma HLS PIPELINE II = 1
        SPIKEFOLD_TRIP();
        // Unsigned wrap-around makes one comparison of two: positions left of the map become very large.
        const bool inside = row - P::TOP < P::HEIGHT && column - P::LEFT < P::WIDTH;
        ap_uint<P::WORD_BITS> word = 0;
        if (inside) word = in.read();
        out.write(word);
        if (++fold == P::FOLDS) {
            fold = 0;
            if (++column == COLUMNS) {
                column = 0;
                ++row;
            }
        }
    }
}

}  // namespace spikefold

#endif
