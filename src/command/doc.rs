//! `nnc doc`: signatures and documentation.

use super::arguments::DocArguments;
use super::{SUCCESS, fail, show, usage};
use nnc::driver::{self, Argument, Doc, Settings};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::Path;

/// The kinds of declarations in the order they are listed, with the headings; what primitives are follows in its own order.
const KINDS: [(&str, &str); 12] = [
    ("model", "models"),
    ("layer", "layers"),
    ("activation", "activations"),
    ("loss", "losses"),
    ("metric", "metrics"),
    ("penalty", "penalties"),
    ("init", "initialisations"),
    ("schedule", "schedules"),
    ("optimizer", "optimizers"),
    ("fn", "functions"),
    ("const", "constants"),
    ("data", "data"),
];

/// Shows the documentation of a name, or lists all names.
pub(super) fn doc(arguments: &DocArguments) -> io::Result<u8> {
    let settings = Settings::default();
    // `nnc doc model.nn` is about a file.
    let named = arguments.name.as_deref();
    let (name, path) = match (named, arguments.file.as_deref().or(arguments.path.as_deref())) {
        (Some(name), None) if name.ends_with(".nn") => (None, Some(Path::new(name))),
        other => other,
    };
    let Some(name) = name else {
        return match driver::docs(path, &settings) {
            Ok(docs) if arguments.json => write_json(&docs),
            Ok(docs) => list(&docs),
            Err(failure) => fail(&failure),
        };
    };
    match driver::doc_of(name, path, &settings) {
        Ok(Ok(docs)) if arguments.json => write_json(&docs),
        Ok(Ok(docs)) => {
            let pages: Vec<String> = docs.iter().map(page).collect();
            write!(io::stdout(), "{}", pages.join("\n"))?;
            Ok(SUCCESS)
        }
        Ok(Err(near)) => {
            let hint = near.map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
            usage(&format!("nothing is called `{name}`{hint}; `nnc doc` lists what there is"))
        }
        Err(failure) => fail(&failure),
    }
}

fn page(doc: &Doc) -> String {
    let mut text = format!("{}\n", doc.signature);
    if let Some(said) = &doc.doc {
        text.push('\n');
        for line in sentences(said) {
            text.push_str(&format!("{}\n", fill(&line, show::width())));
        }
    }
    match &doc.place {
        Some((file, line)) => text.push_str(&format!("\ndeclared in {file}, line {line}\n")),
        None => text.push_str(&format!("\na primitive of the language ({})\n", doc.kind)),
    }
    text
}

/// Names by kind with the first sentence of each.
fn list(docs: &[Doc]) -> io::Result<u8> {
    let heading = |doc: &Doc| {
        KINDS
            .iter()
            .find(|(kind, _)| *kind == doc.kind)
            .map_or_else(|| doc.kind.clone(), |(_, heading)| (*heading).to_owned())
    };
    let mut headings: Vec<String> = KINDS.iter().map(|(_, heading)| (*heading).to_owned()).collect();
    for doc in docs {
        if !headings.contains(&heading(doc)) {
            headings.push(heading(doc));
        }
    }
    let column = docs.iter().map(|doc| doc.name.chars().count()).max().unwrap_or(0);
    let room = show::width().saturating_sub(column + 4).max(20);
    let mut first = true;
    for title in headings {
        let under: Vec<&Doc> = docs.iter().filter(|doc| heading(doc) == title).collect();
        if under.is_empty() {
            continue;
        }
        writeln!(io::stdout(), "{}{title}", if first { "" } else { "\n" })?;
        first = false;
        for doc in under {
            let summary = cut(&doc.summary(), room);
            writeln!(io::stdout(), "{}", format!("  {:column$}  {summary}", doc.name).trim_end())?;
        }
    }
    Ok(SUCCESS)
}

/// The text, or as many of its words as fit and `…`.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let head: String = text.chars().take(room - 1).collect();
    let end = head.rfind(' ').unwrap_or(head.len());
    format!("{}…", head[..end].trim_end_matches([',', ';', ':']))
}

/// The lines of a documentation, those that were broken amidst a sentence joined.
fn sentences(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match lines.last_mut() {
            Some(last) if !last.is_empty() && !last.ends_with(['.', ':']) => {
                last.push(' ');
                last.push_str(line);
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

/// The words of a line on lines of at most so many columns.
fn fill(line: &str, width: usize) -> String {
    let mut text = String::new();
    let mut used = 0;
    for word in line.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            text.push('\n');
            used = 0;
        } else if used > 0 {
            text.push(' ');
            used += 1;
        }
        text.push_str(word);
        used += length;
    }
    text
}

fn write_json(docs: &[Doc]) -> io::Result<u8> {
    let arguments = |list: &[Argument]| -> Value {
        let object = |one: &Argument| json!({ "name": one.name, "type": one.ty, "default": one.default });
        list.iter().map(object).collect()
    };
    for doc in docs {
        let place = doc.place.as_ref().map(|(file, line)| json!({ "file": file, "line": line }));
        let object = json!({
            "name": doc.name,
            "kind": doc.kind,
            "signature": doc.signature,
            "doc": doc.doc,
            "declared": place,
            "configuration": arguments(&doc.configuration),
            "inputs": arguments(&doc.inputs),
        });
        writeln!(io::stdout(), "{object}")?;
    }
    Ok(SUCCESS)
}
