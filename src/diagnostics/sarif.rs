//! Diagnostics as a log in the Static Analysis Results Interchange Format 2.1.0, which editors and code hosts read.
//!
//! In: the diagnostics of one or several programs and what explains their codes. Out: one JSON text: a rule for each code that
//! occurs, a result for each diagnostic with its places, the reasons as related places, and its fixes.
//! <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>

use super::{Diagnostic, Edit, Fix, Label, Severity};
use crate::source::{FileId, SHIPPED, Sources, Span};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The log of several programs. `explain` gives the section of `docs/errors.md` on a code.
pub fn log(programs: &[(&Sources, &[Diagnostic])], explain: &dyn Fn(&str) -> Option<&'static str>) -> String {
    let mut rules: Vec<&str> = programs.iter().flat_map(|(_, list)| list.iter()).map(|problem| problem.code).collect();
    rules.sort_unstable();
    rules.dedup();
    let number = |code: &str| rules.binary_search(&code).unwrap_or_default();
    let mut results = Vec::new();
    for (sources, list) in programs {
        results.extend(list.iter().map(|problem| result(problem, number(problem.code), sources)));
    }
    let rules: Vec<Value> = rules.iter().map(|code| rule(code, explain(code))).collect();
    let driver = json!({ "name": "nnc", "version": env!("CARGO_PKG_VERSION"), "rules": rules });
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{ "tool": { "driver": driver }, "columnKind": "utf16CodeUnits", "results": results }],
    });
    format!("{log:#}")
}

fn rule(code: &str, section: Option<&str>) -> Value {
    let mut rule = json!({ "id": code });
    if let Some(section) = section {
        let summary = section.split("\n\n").next().unwrap_or_default().replace('\n', " ");
        rule["shortDescription"] = json!({ "text": summary });
        rule["help"] = json!({ "text": section, "markdown": section });
    }
    rule
}

fn result(problem: &Diagnostic, rule: usize, sources: &Sources) -> Value {
    let text = match &problem.help {
        Some(help) => format!("{}\n{help}", problem.message),
        None => problem.message.clone(),
    };
    let mut result = json!({
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Advice => "note",
        },
        "message": { "text": text },
    });
    if let Some((primary, reasons)) = problem.labels.split_first() {
        result["locations"] = json!([location(primary, sources)]);
        if !reasons.is_empty() {
            result["relatedLocations"] = reasons.iter().map(|label| location(label, sources)).collect();
        }
    }
    if !problem.fixes.is_empty() {
        result["fixes"] = problem.fixes.iter().map(|one| fix(one, sources)).collect();
    }
    result
}

fn location(label: &Label, sources: &Sources) -> Value {
    let artifact = artifact(label.span.file, sources);
    let mut location =
        json!({ "physicalLocation": { "artifactLocation": artifact, "region": region(label.span, sources) } });
    if !label.message.is_empty() {
        location["message"] = json!({ "text": label.message });
    }
    location
}

/// A fix, its edits by file; whether it is safe to apply unasked has no place of its own in the format.
fn fix(fix: &Fix, sources: &Sources) -> Value {
    let mut files: BTreeMap<FileId, Vec<&Edit>> = BTreeMap::new();
    for edit in &fix.edits {
        files.entry(edit.span.file).or_default().push(edit);
    }
    let replacement = |edit: &&Edit| {
        let mut replacement = json!({ "deletedRegion": region(edit.span, sources) });
        if !edit.text.is_empty() {
            replacement["insertedContent"] = json!({ "text": edit.text });
        }
        replacement
    };
    let change = |(file, edits): (&FileId, &Vec<&Edit>)| {
        let replacements: Vec<Value> = edits.iter().map(replacement).collect();
        json!({ "artifactLocation": artifact(*file, sources), "replacements": replacements })
    };
    let changes: Vec<Value> = files.iter().map(change).collect();
    json!({ "description": { "text": fix.title }, "artifactChanges": changes, "properties": { "safe": fix.safe } })
}

fn artifact(file: FileId, sources: &Sources) -> Value {
    json!({ "uri": uri(&sources.get(file).name) })
}

/// Lines and columns from 1, columns in UTF-16 units; the end is one past the last.
fn region(span: Span, sources: &Sources) -> Value {
    let source = sources.get(span.file);
    let (start, end) = (source.position_utf16(span.start), source.position_utf16(span.end));
    json!({
        "startLine": start.line + source.first_line,
        "startColumn": start.column + 1,
        "endLine": end.line + source.first_line,
        "endColumn": end.column + 1,
    })
}

/// A path as a URI: relative ones stay relative, what is shipped has a scheme of its own, `std:`.
fn uri(name: &str) -> String {
    let mut uri = String::from(if name.starts_with('/') { "file://" } else { "" });
    // In a relative reference a colon in the first segment would end a scheme.
    let first_segment = name.find('/').unwrap_or(name.len());
    let shipped = name.starts_with(SHIPPED);
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => uri.push(char::from(byte)),
            b':' if shipped || at > first_segment => uri.push(':'),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}
