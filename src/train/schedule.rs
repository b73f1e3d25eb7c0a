//! The rate of each step.
//!
//! In: the optimizer's rate and the run's schedule. Out: their product for a step. A factor that depends on the epoch alone is
//! worked out once an epoch; what `step` or `progress` go into is a small program of its own.

use super::execute::{Engine, Executable, number, once};
use super::program::Programs;
use crate::check::hir::SCHEDULE_SCOPE;
use crate::graph::elaborate::Unsupported;
use crate::graph::{Graph, Op};
use crate::jit::Buffer;

/// Where training is, in the words of a schedule.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Moment {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The step, from 1.
    pub step: u64,
    /// How many epochs there are.
    pub epochs: usize,
    /// How many steps each has.
    pub steps_per_epoch: usize,
    /// The last validation loss; before there is one, infinity.
    pub val_loss: f64,
    /// Epochs since it last fell.
    pub stalled: usize,
}

/// The rate as it goes on.
pub struct Rate {
    base: f64,
    schedule: Option<Schedule>,
}

struct Schedule {
    factor: Executable,
    next: Graph,
    each_step: bool,
    /// The scope's numbers, the states, the factor.
    buffers: Vec<Buffer>,
    /// The factor of the epoch where it does not change with the steps.
    current: Option<f32>,
}

impl Rate {
    /// The rate of a run at its start.
    pub fn new(programs: &Programs, engine: &Engine) -> Result<Rate, Unsupported> {
        let base = programs.run.optimizer.lr;
        let Some((factor, next)) = programs.schedule()? else { return Ok(Rate { base, schedule: None }) };
        let each_step = factor.nodes.iter().any(|node| match node.op {
            Op::Input(number) => matches!(SCHEDULE_SCOPE.get(number), Some(&("step" | "progress"))),
            _ => false,
        });
        let mut buffers: Vec<Buffer> = SCHEDULE_SCOPE.iter().map(|_| number(0.0)).collect();
        buffers.extend(once(programs.schedule_start()?, &Engine::Interp, Vec::new()));
        buffers.push(number(1.0));
        let factor = Executable::new(factor, if each_step { engine } else { &Engine::Interp });
        Ok(Rate { base, schedule: Some(Schedule { factor, next, each_step, buffers, current: None }) })
    }

    /// The rate at that moment.
    pub fn at(&mut self, moment: Moment) -> f32 {
        let Some(schedule) = &mut self.schedule else { return self.base as f32 };
        let factor = match schedule.current {
            Some(factor) if !schedule.each_step => factor,
            _ => schedule.factor(moment),
        };
        (self.base * f64::from(factor)) as f32
    }

    /// At the end of an epoch: the states take their next values.
    pub fn end_epoch(&mut self, moment: Moment) {
        let Some(schedule) = &mut self.schedule else { return };
        schedule.current = None;
        schedule.set(moment);
        let states = SCHEDULE_SCOPE.len()..schedule.buffers.len() - 1;
        let next = once(schedule.next.clone(), &Engine::Interp, schedule.buffers[..states.end].to_vec());
        schedule.buffers.splice(states, next);
    }

    /// The schedule's states.
    pub fn states(&self) -> &[Buffer] {
        let schedule = self.schedule.as_ref();
        schedule.map_or(&[], |schedule| &schedule.buffers[SCHEDULE_SCOPE.len()..schedule.buffers.len() - 1])
    }

    /// Goes on from states that were saved.
    pub fn restore(&mut self, states: Vec<Buffer>) {
        if let Some(schedule) = &mut self.schedule {
            let places = SCHEDULE_SCOPE.len()..schedule.buffers.len() - 1;
            schedule.buffers.splice(places, states);
            schedule.current = None;
        }
    }
}

impl Schedule {
    fn set(&mut self, moment: Moment) {
        let steps = moment.epochs.saturating_mul(moment.steps_per_epoch).max(1);
        let scope = [
            moment.epoch as f64,
            moment.step as f64,
            moment.step.saturating_sub(1) as f64 / steps as f64,
            moment.epochs as f64,
            moment.steps_per_epoch as f64,
            moment.val_loss,
            moment.stalled as f64,
        ];
        for (buffer, value) in self.buffers.iter_mut().zip(scope) {
            buffer.as_f32_mut()[0] = value as f32;
        }
    }

    fn factor(&mut self, moment: Moment) -> f32 {
        self.set(moment);
        let mut externals: Vec<&mut Buffer> = self.buffers.iter_mut().collect();
        self.factor.run(&mut externals);
        let factor = self.buffers[self.buffers.len() - 1].as_f32()[0];
        self.current = Some(factor);
        factor
    }
}
