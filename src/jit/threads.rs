//! A small pool of threads that runs the shards of one kernel at a time.
//!
//! Shards are cut by the plan and taken in order by whoever is free, so results do not depend on the number of threads.
//! Workers spin for some microseconds, because the next kernel mostly follows at once, and then sleep.

use super::program::Task;
use std::hint::spin_loop;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;

/// How often a waiting thread looks before it sleeps.
const SPINS: usize = 4000;

/// Threads for the kernels of programs; shared by any number of them.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held by the call whose kernel the workers run.
    turn: Mutex<()>,
}

/// A kernel to run.
#[derive(Clone, Copy)]
struct Job {
    number: u32,
    task: Task,
    shards: u32,
}

struct Shared {
    /// The job and how many workers sleep until the next.
    job: Mutex<(Option<Job>, usize)>,
    wake: Condvar,
    /// The number of the newest job.
    newest: AtomicU64,
    /// The number of the job whose shards are to be had (upper half) and the next shard (lower half).
    ticket: AtomicU64,
    /// Shards that are not finished.
    remaining: AtomicUsize,
    finished: Mutex<()>,
    all_finished: Condvar,
    quit: AtomicBool,
}

impl Pool {
    /// A pool of so many threads, the calling one counted.
    pub fn new(threads: usize) -> Arc<Pool> {
        let shared = Arc::new(Shared {
            job: Mutex::new((None, 0)),
            wake: Condvar::new(),
            newest: AtomicU64::new(0),
            ticket: AtomicU64::new(0),
            remaining: AtomicUsize::new(0),
            finished: Mutex::new(()),
            all_finished: Condvar::new(),
            quit: AtomicBool::new(false),
        });
        // A machine that refuses a thread gives a smaller pool.
        let workers = (1..threads)
            .map_while(|worker| {
                let shared = Arc::clone(&shared);
                let builder = std::thread::Builder::new().name(format!("nnc-{worker}"));
                builder.spawn(move || shared.serve(worker)).ok()
            })
            .collect();
        Arc::new(Pool { shared, workers, turn: Mutex::new(()) })
    }

    /// The number of threads, the calling one counted.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs every shard of a task and returns when all are done.
    pub(super) fn run(&self, task: Task, shards: usize) {
        let turn = match (self.workers.is_empty(), u32::try_from(shards)) {
            (false, Ok(shards)) if shards > 1 => self.turn.try_lock().ok().map(|turn| (turn, shards)),
            _ => None,
        };
        let Some((_turn, count)) = turn else {
            task.run(0, 0, shards);
            return;
        };
        let shared = &*self.shared;
        let number = shared.newest.load(Ordering::Relaxed).wrapping_add(1) as u32;
        let job = Job { number, task, shards: count };
        shared.remaining.store(shards, Ordering::Relaxed);
        {
            let mut slot = lock(&shared.job);
            slot.0 = Some(job);
            shared.ticket.store(u64::from(number) << 32, Ordering::Release);
            shared.newest.store(u64::from(number), Ordering::Release);
            if slot.1 > 0 {
                shared.wake.notify_all();
            }
        }
        shared.work(0, &job);
        for _ in 0..SPINS {
            if shared.remaining.load(Ordering::Acquire) == 0 {
                return;
            }
            spin_loop();
        }
        let mut guard = lock(&shared.finished);
        while shared.remaining.load(Ordering::Acquire) > 0 {
            guard = shared.all_finished.wait(guard).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        {
            let _slot = lock(&self.shared.job);
            self.shared.quit.store(true, Ordering::Release);
            self.shared.wake.notify_all();
        }
        for worker in self.workers.drain(..) {
            // A worker runs compiled code only, which does not unwind.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn serve(&self, worker: usize) {
        let mut seen = 0;
        while let Some(job) = self.next(seen) {
            seen = job.number;
            self.work(worker, &job);
        }
    }

    /// Waits for a job other than the last one; none when the pool ends.
    fn next(&self, seen: u32) -> Option<Job> {
        for _ in 0..SPINS {
            if self.newest.load(Ordering::Acquire) != u64::from(seen) {
                break;
            }
            spin_loop();
        }
        let mut slot = lock(&self.job);
        loop {
            if self.quit.load(Ordering::Acquire) {
                return None;
            }
            match slot.0 {
                Some(job) if job.number != seen => return Some(job),
                _ => {}
            }
            slot.1 += 1;
            slot = self.wake.wait(slot).unwrap_or_else(|poisoned| poisoned.into_inner());
            slot.1 -= 1;
        }
    }

    /// Takes shards of a job until none is left.
    fn work(&self, worker: usize, job: &Job) {
        let mut ticket = self.ticket.load(Ordering::Acquire);
        loop {
            let shard = ticket as u32;
            if (ticket >> 32) as u32 != job.number || shard >= job.shards {
                return;
            }
            match self.ticket.compare_exchange_weak(ticket, ticket + 1, Ordering::AcqRel, Ordering::Acquire) {
                Err(newer) => ticket = newer,
                Ok(_) => {
                    job.task.run(worker, shard as usize, shard as usize + 1);
                    if self.remaining.fetch_sub(1, Ordering::AcqRel) == 1 {
                        let _guard = lock(&self.finished);
                        self.all_finished.notify_one();
                    }
                    ticket = self.ticket.load(Ordering::Acquire);
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
