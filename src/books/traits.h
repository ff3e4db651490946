// SPDX-License-Identifier: Apache-2.0
// What few entries have, and without which a rule has nothing to say of one. Of a server with 20,000 connections that hang
// the entries fill no cache: they are gone through once, and each rule asks for those that concern it.
#pragma once

#include <cstdint>

#include "bpf/probes.h"

namespace epaudit {

enum Trait : uint32_t {
    kTraitListens = 1U << 0,     // it is a listener
    kTraitPipe = 1U << 1,        // a pipe
    kTraitOther = 1U << 2,       // of no kind that the books know
    kTraitRuns = 1U << 3,        // returns without work were counted on it
    kTraitGhost = 1U << 4,       // its number was closed
    kTraitEnded = 1U << 5,       // the program has read the end, or the connection is gone
    kTraitPeerClosed = 1U << 6,  // its peer has closed
    kTraitWakesWasted = 1U << 7,
    kTraitRefused = 1U << 8,    // epoll_ctl failed
    kTraitExclusive = 1U << 9,  // is, or was to be, EPOLLEXCLUSIVE
    kTraitAsksForRoom = 1U << 10,
    kTraitFlips = 1U << 11,     // its mode was changed
    kTraitDisarmed = 1U << 12,  // it has fired, or its mask is empty
    kTraitSlept = 1U << 13,     // calls slept on it
    kTraitClashes = 1U << 14,   // reads overlapped
    kTraitMixed = 1U << 15,     // writes came in between
    kTraitCut = 1U << 16,       // output is, or was, cut short
    kTraitDuplicates = 1U << 17,
    kTraitEpoll = 1U << 18,  // an epoll in an epoll
};

// enum Trait
uint32_t traits_of(const sweep_record& entry);

}  // namespace epaudit
