// SPDX-License-Identifier: Apache-2.0
// What may be concluded from a delivery that a log shows, and what may not.
#include "src/strace/interpreter.h"

namespace epaudit {
namespace {

// So many answers in a row as only a level-triggered registration gets, before a registration of unknown mask is
// taken for one.
constexpr uint32_t kProof = 64;
constexpr uint32_t kInput = EV_IN | EV_RDNORM | EV_PRI | EV_RDHUP;

bool is_socket_kind(uint8_t kind)
{
    return kind == FILE_TCP || kind == FILE_UDP || kind == FILE_UNIX || kind == FILE_SOCKET;
}

}  // namespace

bool Interpreter::sees_input(uint8_t kind) const
{
    if (sight_.everything)
        return true;
    if (is_socket_kind(kind))
        return sight_.all_socket_input();
    if (kind == FILE_LISTENER)
        return sight_.accepting;
    if (kind == FILE_TIMERFD)
        return sight_.plain_input && sight_.timer_setting;
    return sight_.plain_input;
}

bool Interpreter::sees_output(uint8_t kind) const
{
    return sight_.everything || (is_socket_kind(kind) ? sight_.socket_output : sight_.plain_output);
}

// May something outside the log have answered this event?
bool Interpreter::blind(const LogProcess& process, LogFile& file, uint32_t events)
{
    if (process.uses_uring || file.shared_unseen || sight_.others_unseen)
        return true;
    if ((events & EV_HUP) && !(events & ~(EV_HUP | EV_ERR)))  // nothing but the end of the registration answers it
        return false;
    if ((events & (kInput | EV_ERR | EV_HUP)) && !sees_input(file.kind))
        return true;
    return (events & EV_OUT) && !sees_output(file.kind);
}

// Level-triggered? Where the log does not hold the mask, only the deliveries themselves can prove it: an edge is
// not repeated when nothing happened that could make one.
bool Interpreter::proves_level(LogFile& file, uint32_t events)
{
    if (!file.guessed_mask)
        return true;
    bool idle = file.progress == file.told_progress;
    bool telling = (events & EV_HUP) || (file.ended && (events & (EV_IN | EV_RDHUP))) ||
                   (!(events & ~EV_OUT) && sees_output(file.kind));
    file.told_progress = file.progress;
    file.proof = idle && telling ? file.proof + 1 : 0;
    if (file.proof < kProof)
        return false;
    file.guessed_mask = false;
    return true;
}

}  // namespace epaudit
