//! A program in pieces that can be left out one by one, so that what fails becomes small.

use std::fmt::Write;

/// A random program.
#[derive(Clone, Default)]
pub(super) struct Program {
    pub(super) rows: usize,
    pub(super) seed: usize,
    /// Whole declarations.
    pub(super) declarations: Vec<String>,
    /// The model's inputs, which are fields of the data as well.
    pub(super) inputs: Vec<Field>,
    /// The other fields of the data.
    pub(super) targets: Vec<Field>,
    /// Further lines of the data.
    pub(super) data: Vec<String>,
    /// The lines of the model's body.
    pub(super) statements: Vec<Statement>,
    /// Vectors, of which the model's value is made.
    pub(super) parts: Vec<String>,
    /// What the parts, joined, go through: `dense(3) |> softmax`.
    pub(super) head: String,
    /// The type of the value.
    pub(super) output: String,
    /// A second output: what it is, and its type.
    pub(super) second: Option<(String, String)>,
    /// The fields of the run, of which the first two must be there.
    pub(super) run: Vec<String>,
}

/// A field of the data.
#[derive(Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) ty: String,
    pub(super) value: String,
}

/// A line of the body.
#[derive(Clone)]
pub(super) struct Statement {
    pub(super) text: String,
    /// Lines that bind the same names to constants.
    pub(super) stand_in: Option<String>,
}

/// Whether the text has the name as a word.
pub(super) fn mentions(text: &str, name: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.match_indices(name).any(|(at, _)| {
        let (before, after) = (at.checked_sub(1).map(|at| text.as_bytes()[at]), text.as_bytes().get(at + name.len()));
        !before.is_some_and(is_word) && !after.is_some_and(|&byte| is_word(byte))
    })
}

impl Program {
    pub(super) fn text(&self) -> String {
        let mut text = self.declarations.join("\n");
        writeln!(text, "\n\ndata Points {{\n  source = generate({}, seed = {})", self.rows, self.seed).unwrap();
        for field in self.inputs.iter().chain(&self.targets) {
            writeln!(text, "  {}: {} = {}", field.name, field.ty, field.value).unwrap();
        }
        for line in &self.data {
            writeln!(text, "  {line}").unwrap();
        }
        let inputs: Vec<String> = self.inputs.iter().map(|field| format!("{}: {}", field.name, field.ty)).collect();
        let output = match &self.second {
            Some((_, ty)) => format!("(y: {}, also: {ty})", self.output),
            None => format!("y: {}", self.output),
        };
        writeln!(text, "}}\n\nmodel M({}) -> {output} {{", inputs.join(", ")).unwrap();
        for statement in &self.statements {
            writeln!(text, "  {}", statement.text).unwrap();
        }
        let value = match self.parts.as_slice() {
            [part] => format!("{part} |> {}", self.head),
            parts => format!("concat({}) |> {}", parts.join(", "), self.head),
        };
        match &self.second {
            Some((also, _)) => writeln!(text, "  ({value}, {also})").unwrap(),
            None => writeln!(text, "  {value}").unwrap(),
        }
        writeln!(text, "}}\n\ntrain M on Points {{\n  {}\n}}", self.run.join("\n  ")).unwrap();
        text
    }

    /// Programs with less in them, the largest steps first.
    fn smaller(&self) -> Vec<Program> {
        let mut found = Vec::new();
        let mut with = |change: &dyn Fn(&mut Program)| {
            let mut program = self.clone();
            change(&mut program);
            found.push(program);
        };
        for at in (0..self.statements.len()).rev() {
            with(&|program| drop(program.statements.remove(at)));
            if let Some(stand_in) =
                self.statements[at].stand_in.clone().filter(|text| *text != self.statements[at].text)
            {
                with(&|program| program.statements[at].text.clone_from(&stand_in));
            }
        }
        with(&|program| program.parts = vec!["ones([2])".to_owned()]);
        if self.parts.len() > 1 {
            (0..self.parts.len()).for_each(|at| with(&|program| drop(program.parts.remove(at))));
        }
        if self.second.is_some() {
            with(&|program| {
                program.second = None;
                for line in &mut program.run {
                    if let Some(at) = line.find(" + 0.01 * mean(also") {
                        line.truncate(at);
                    }
                }
            });
        }
        (2..self.run.len()).for_each(|at| with(&|program| drop(program.run.remove(at))));
        (0..self.data.len()).for_each(|at| with(&|program| drop(program.data.remove(at))));
        (0..self.declarations.len()).for_each(|at| with(&|program| drop(program.declarations.remove(at))));
        (0..self.inputs.len()).for_each(|at| with(&|program| drop(program.inputs.remove(at))));
        (0..self.targets.len()).for_each(|at| with(&|program| drop(program.targets.remove(at))));
        if self.head.contains("|>") {
            with(&|program| program.head = program.head[..program.head.find(" |>").unwrap()].to_owned());
        }
        with(&|program| program.rows = program.rows / 2 + 2);
        found.retain(|program| program.text() != self.text());
        found
    }

    /// Leaves out what `fails` does not need.
    pub(super) fn shrunk(&self, fails: impl Fn(&str) -> bool) -> Program {
        let mut smallest = self.clone();
        while let Some(program) = smallest.smaller().into_iter().find(|program| fails(&program.text())) {
            smallest = program;
        }
        smallest
    }
}
