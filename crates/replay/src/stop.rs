//! Where a run is told to stop (`log-5 §13`).

use anchorlog_format::units::{Generation, LogPosition};

/// A stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Behind the last record of a generation.
    Generation(Generation),
    /// Behind the record at a position, which is still redone (trap W26).
    Position(LogPosition),
}

/// How a record lies to the stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It is still redone.
    Before,
    /// It is not redone any more.
    Behind,
}

impl Stop {
    /// From a position as the engine's callers give it: `(G, 0, 0)` and `(G, max, max)` mean all of generation G.
    #[must_use]
    pub fn from_position(position: LogPosition) -> Self {
        let whole = (position.sector, position.byte) == (0, 0) || (position.sector, position.byte) == (u16::MAX, u16::MAX);
        if whole { Self::Generation(position.generation) } else { Self::Position(position) }
    }
    /// Its generation.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        match self {
            Self::Generation(generation) => *generation,
            Self::Position(position) => position.generation,
        }
    }
    /// How the record at a position lies to it.
    #[must_use]
    pub fn reached(&self, position: LogPosition) -> Reached {
        let behind = match self {
            Self::Generation(generation) => position.generation > *generation,
            Self::Position(stop) => position > *stop,
        };
        if behind { Reached::Behind } else { Reached::Before }
    }
    /// Whether nothing behind a generation is replayed.
    #[must_use]
    pub fn ends_with(&self, generation: Generation) -> bool {
        self.generation() <= generation
    }
    /// Whether it is a position inside a generation.
    #[must_use]
    pub fn lies_inside(&self, generation: Generation) -> bool {
        matches!(self, Self::Position(position) if position.generation == generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w26_a_generation_alone_means_all_of_it_and_a_position_its_own_record_too() {
        let whole = Stop::from_position(LogPosition::new(3, 0, 0));
        assert_eq!(whole, Stop::Generation(Generation(3)));
        assert_eq!(whole.reached(LogPosition::new(3, 9, 9)), Reached::Before);
        assert_eq!(whole.reached(LogPosition::new(4, 1, 0)), Reached::Behind);
        let inside = Stop::from_position(LogPosition::new(3, 2, 7));
        assert_eq!(inside.reached(LogPosition::new(3, 2, 7)), Reached::Before);
        assert_eq!(inside.reached(LogPosition::new(3, 2, 8)), Reached::Behind);
    }
}
