// One time step of an integer integrate-and-fire neuron.
#ifndef SPIKEFOLD_NEURON_HPP
#define SPIKEFOLD_NEURON_HPP

#include "integers.hpp"

namespace spikefold {

enum Neuron { NEURON_NONE = 0, NEURON_IF = 1, NEURON_LIF = 2, NEURON_SUMS = 3, NEURON_LATEIF = 4 };

// KIND            NEURON_IF, NEURON_LIF or NEURON_LATEIF, which is IF but for what it is given: the currents of all
//                 steps in the first one, and 0 in the others
// LEAK_SHIFT      k: the leak is V >> k (arithmetic); not used by IF
// SOFT_RESET      subtract the threshold where it spiked, else set V to 0
// POTENTIAL_BITS  width of V, before and after the reset
// Updates V with the step's current (already scaled, bias included) and returns whether the neuron spiked.
template <int KIND, int LEAK_SHIFT, bool SOFT_RESET, int POTENTIAL_BITS, typename Current, typename Threshold>
inline bool neuron_step(signed_int<POTENTIAL_BITS>& potential, Current current, Threshold threshold) {
#pragma HLS INLINE
    if (KIND == NEURON_LIF) {
        potential = potential - (potential >> LEAK_SHIFT);
    }
    potential = potential + current;
    const bool spike = potential >= threshold;
    if (spike) {
        potential = SOFT_RESET ? static_cast<signed_int<POTENTIAL_BITS>>(potential - threshold)
                               : static_cast<signed_int<POTENTIAL_BITS>>(0);
    }
    return spike;
}

}  // namespace spikefold

#endif
