//! GFLOP/s of the register tile: a 6×8 tile over k = 256 in cache, and a product of matrices made of tiles.

use nnc::graph::DType;
use nnc::jit::{Buffer, Isa, Pool, Target, compile};
use nnc::kernel::*;
use std::time::Instant;

/// `c = a · b` by tiles of 6×8, row panels of `a` outermost.
fn product(rows: usize, cols: usize, depth: usize) -> Module {
    let buffer = |name: &str, len, number| nnc::kernel::Buffer {
        name: name.into(),
        dtype: DType::F32,
        len,
        storage: Storage::External(number),
    };
    let [i, j] = [Var(0), Var(1)];
    let place = |buffer, terms: &[(Var, usize)]| Place {
        buffer: BufferId(buffer),
        index: Affine { terms: terms.iter().map(|(var, stride)| (*var, *stride as i64)).collect(), offset: 0 },
    };
    let tile = Stmt::Tile(Tile {
        rows: 6,
        cols: 8,
        depth,
        a: place(0, &[(i, 6 * depth)]),
        a_strides: (depth, 1),
        b: place(1, &[(j, 8 * depth)]),
        b_stride: 8,
        c: place(2, &[(i, 6 * cols), (j, 8)]),
        c_stride: cols,
        accumulate: false,
    });
    let columns = Stmt::For { var: j, extent: cols / 8, unroll: false, body: vec![tile] };
    let body = vec![Stmt::For { var: i, extent: rows / 6, unroll: false, body: vec![columns] }];
    let kernel = Kernel { name: "k0".into(), vars: vec!["i".into(), "j".into()], body, ..Kernel::default() };
    Module {
        name: "product".into(),
        buffers: vec![buffer("a", rows * depth, 0), buffer("b", depth * cols, 1), buffer("c", rows * cols, 2)],
        kernels: vec![kernel],
        externals: 3,
        ..Module::default()
    }
}

fn main() {
    let listing = std::env::args().any(|argument| argument == "--asm");
    for (rows, cols, depth) in [(6, 8, 256), (48, 64, 256), (96, 96, 256), (126, 512, 256)] {
        let module = product(rows, cols, depth);
        let begin = Instant::now();
        let program = compile(&module, &Target { isa: Isa::Native, listing });
        let compiled = begin.elapsed();
        if let Some(text) = program.listing() {
            println!("{}", text.asm);
            return;
        }
        let mut workspace = program.workspace(&Pool::new(1));
        let mut buffers: Vec<Buffer> = module.buffers.iter().map(|b| Buffer::from_f32(&vec![0.5; b.len])).collect();
        let mut externals: Vec<&mut Buffer> = buffers.iter_mut().collect();
        let mut best = f64::INFINITY;
        let runs = (20_000_000 / (rows * cols * depth)).max(1);
        for _ in 0..50 {
            let begin = Instant::now();
            for _ in 0..runs {
                program.run(&mut workspace, &mut externals);
            }
            best = best.min(begin.elapsed().as_secs_f64() / runs as f64);
        }
        let work = 2.0 * (rows * cols * depth) as f64;
        let rate = work / best / 1e9;
        println!("{rows}x{cols}x{depth}: {rate:.1} GFLOP/s, {:.2} µs, compiled in {compiled:.2?}", best * 1e6);
    }
}
