//! Convolutions, pools and what else knows spatial axes.

use super::super::generator::Generator;
use super::product;

enum Padding {
    Valid,
    Same,
    Widths(Vec<usize>),
}

impl Generator {
    /// One number for all axes, or a list; both as it is written and for each axis.
    fn per_axis(&mut self, spatial: usize, of: &[usize]) -> (String, Vec<usize>) {
        if self.choices.once_in(2) {
            let one = self.choices.of(of);
            return (one.to_string(), vec![one; spatial]);
        }
        let list: Vec<usize> = (0..spatial).map(|_| self.choices.of(of)).collect();
        (format!("{list:?}"), list)
    }

    /// How many windows there are along an axis.
    fn windows(extent: usize, reach: usize, stride: usize, padding: &Padding, axis: usize) -> usize {
        match padding {
            Padding::Valid => (extent - reach) / stride + 1,
            Padding::Same => extent.div_ceil(stride),
            Padding::Widths(widths) => (extent + 2 * widths[axis] - reach) / stride + 1,
        }
    }

    fn padding(&mut self, spatial: usize, largest: usize) -> (String, Padding) {
        match self.choices.below(4) {
            0 => (String::new(), Padding::Valid),
            1 => (", padding = valid".to_owned(), Padding::Valid),
            2 => (", padding = same".to_owned(), Padding::Same),
            _ => {
                let of: Vec<usize> = (0..=largest).collect();
                let (text, widths) = self.per_axis(spatial, &of);
                (format!(", padding = {text}"), Padding::Widths(widths))
            }
        }
    }

    fn spatial(&mut self) -> usize {
        self.choices.of(&[1, 2, 2, 2, 3])
    }

    pub(super) fn conv(&mut self) {
        let spatial = self.spatial();
        let x = self.image(spatial);
        let channels = x.shape[spatial];
        let groups: Vec<usize> = (1..=channels).filter(|n| channels.is_multiple_of(*n)).collect();
        let groups = if self.choices.once_in(2) { 1 } else { self.choices.of(&groups) };
        let (mut size, mut dilation) = (Vec::new(), vec![1; spatial]);
        for &extent in &x.shape[..spatial] {
            size.push(1 + self.choices.below(extent.min(3)));
        }
        let mut arguments = String::new();
        if self.choices.once_in(2) {
            arguments.push_str(", stride = ");
        }
        let stride = match arguments.is_empty() {
            true => vec![1; spatial],
            false => {
                let (text, stride) = self.per_axis(spatial, &[1, 2, 3]);
                arguments.push_str(&text);
                stride
            }
        };
        let (text, padding) = self.padding(spatial, 2);
        arguments.push_str(&text);
        if self.choices.once_in(3) && (0..spatial).all(|axis| x.shape[axis] > 2 * (size[axis] - 1)) {
            dilation = vec![2; spatial];
            arguments.push_str(", dilation = 2");
        }
        if groups > 1 {
            arguments.push_str(&format!(", groups = {groups}"));
        }
        let filters = groups * (1 + self.choices.below(4));
        let w = self.param(&[size.as_slice(), &[channels / groups, filters]].concat());
        let reach = |axis: usize| (size[axis] - 1) * dilation[axis] + 1;
        let mut shape: Vec<usize> =
            (0..spatial).map(|axis| Self::windows(x.shape[axis], reach(axis), stride[axis], &padding, axis)).collect();
        shape.push(filters);
        let bound = x.bound * (product(&size) * channels) as f64;
        self.bind_numbers(&shape, bound, format!("conv({}, {}{arguments})", x.name, w.name));
    }

    pub(super) fn conv_transpose(&mut self) {
        let spatial = self.spatial();
        let x = self.image(spatial);
        let channels = x.shape[spatial];
        let size: Vec<usize> = (0..spatial).map(|_| 1 + self.choices.below(3)).collect();
        let (stride_text, stride) = self.per_axis(spatial, &[1, 2, 3]);
        let (mut padding_text, padding) = self.padding(spatial, 0);
        if self.choices.once_in(4) {
            padding_text.push_str(", dilation = 2");
        }
        let dilation = if padding_text.ends_with("dilation = 2") { 2 } else { 1 };
        let filters = 1 + self.choices.below(3);
        let mut shape: Vec<usize> = (0..spatial)
            .map(|axis| match padding {
                Padding::Same => x.shape[axis] * stride[axis],
                Padding::Valid | Padding::Widths(_) => {
                    (x.shape[axis] - 1) * stride[axis] + (size[axis] - 1) * dilation + 1
                }
            })
            .collect();
        shape.push(filters);
        let w = self.param(&[size.as_slice(), &[channels, filters]].concat());
        let bound = x.bound * (product(&size) * channels) as f64;
        let text = format!("conv_transpose({}, {}, stride = {stride_text}{padding_text})", x.name, w.name);
        self.bind_numbers(&shape, bound, text);
    }

    pub(super) fn pool(&mut self, name: &str) {
        let spatial = self.spatial();
        let x = self.image(spatial);
        let (size_text, size) = self.per_axis(spatial, &[1, 2, 3]);
        let (stride_text, stride) = match self.choices.once_in(2) {
            true => (String::new(), size.clone()),
            false => {
                let (text, stride) = self.per_axis(spatial, &[1, 2, 3]);
                (format!(", stride = {text}"), stride)
            }
        };
        // A window that lies wholly outside has no greatest element.
        let (padding_text, padding) = self.padding(spatial, size.iter().min().unwrap() / 2);
        let mut shape: Vec<usize> =
            (0..spatial).map(|axis| Self::windows(x.shape[axis], size[axis], stride[axis], &padding, axis)).collect();
        shape.push(x.shape[spatial]);
        self.bind_numbers(&shape, x.bound, format!("{name}({}, {size_text}{stride_text}{padding_text})", x.name));
    }

    pub(super) fn upsample(&mut self) {
        let spatial = self.spatial();
        let x = self.image(spatial);
        let (text, factors) = self.per_axis(spatial, &[1, 2, 3]);
        let mut shape: Vec<usize> = (0..spatial).map(|axis| x.shape[axis] * factors[axis]).collect();
        shape.push(x.shape[spatial]);
        self.bind_numbers(&shape, x.bound, format!("upsample({}, {text})", x.name));
    }
}
