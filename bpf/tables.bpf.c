// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/* The maps and variables that all programs share. */
#include "kernel.h"
#include "tables.h"
#include "twins.h"

struct file_table file_rows SEC(".maps");
struct fault_table fault_rows SEC(".maps");
struct registration_table registration_rows SEC(".maps");
struct run_table run_rows SEC(".maps");
struct epoll_table epoll_rows SEC(".maps");
struct thread_table thread_rows SEC(".maps");
struct index_table index_rows SEC(".maps");
struct process_table process_rows SEC(".maps");
struct answer_table answers SEC(".maps");
struct stat_table stats SEC(".maps");
struct buried_table buried SEC(".maps");
struct mark_table marks SEC(".maps");
struct recorded_table recorded SEC(".maps");

struct probe_facts facts; /* with an initialiser clang puts it into .data, for the gap between its parts */
u32 crowd[CROWD_SLOTS] __attribute__((aligned(64))) = {};
u32 program_changes[PROGRAM_SLOTS] __attribute__((aligned(64))) = {};
u32 file_crowd[FILE_CROWD_SLOTS] __attribute__((aligned(64))) = {};
u32 epoll_crowd[EPOLL_CROWD_SLOTS] __attribute__((aligned(64))) = {};
u32 file_changes __attribute__((aligned(64))) = 0;
u8 light_marks[LIGHT_MARKS] __attribute__((aligned(64))) = {};
const volatile u8 call_classes[CALL_TABLE] = {};
const volatile bool typed_loads = false;
const volatile u32 stack_bytes = 0;
const volatile bool ctl_file_hooked = false;     /* hooks_trampoline.h */
const volatile bool ring_changes_unseen = false; /* hooks_ring.h */
const volatile bool ring_opcode_third = false;
const volatile bool probe_registers = false;
const volatile bool twins = false;
const volatile bool recording = false;
const volatile bool in_container = false; /* ids.h */

const struct file_row empty_file = {};
const struct fault_row empty_fault = {};
const struct registration_row empty_registration = {};
const struct run_row empty_run = {};
const struct epoll_row empty_epoll = {};
const struct thread_row empty_thread = {};

/* These live in the ring only; this makes their layout part of the object, where a test looks it up. */
const struct recorded_row* recorded_row_layout;
const struct file_totals* file_totals_layout;
const struct registration_totals* registration_totals_layout;

char LICENSE[] SEC("license") = "GPL";
