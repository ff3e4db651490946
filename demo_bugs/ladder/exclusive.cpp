// Rung 4: a pre-fork server. All workers wait for the same listener; EPOLLEXCLUSIVE wakes one of them per
// connection instead of all.
//
// expect: none
#include "ladder/workers.h"

int main(int argc, char** argv)
{
    demo::Run run(argc, argv);
    const int listener = run.listen();
    run.start_client(ladder::drive);
    for (int i = 1; i < ladder::kWorkers; ++i) {
        if (demo::check(fork(), "fork") == 0) {
            ladder::serve(listener, EPOLLIN | EPOLLEXCLUSIVE, run.deadline());
            _exit(0);
        }
    }
    ladder::serve(listener, EPOLLIN | EPOLLEXCLUSIVE, run.deadline());
    const int status = run.finish();
    ladder::reap_workers(ladder::kWorkers - 1);
    return status;
}
