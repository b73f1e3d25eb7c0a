//! Reverse-mode differentiation, graph to graph.
