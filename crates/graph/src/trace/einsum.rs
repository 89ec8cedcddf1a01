//! `Einsum` of two operands.

use ndarray::{ArrayD, IxDyn};

use super::{Call, SIZE_LIMIT, Tensor, count};

pub(super) fn run(name: &str, call: &Call<'_>) -> Option<Vec<Tensor>> {
    if name != "Einsum" {
        return None;
    }
    let [Some(left), Some(right)] = call.inputs else {
        return None;
    };
    let equation: String = call.node.string("equation").split_whitespace().collect();
    let (inputs, output) = equation.split_once("->")?;
    let (of_left, of_right) = inputs.split_once(',')?;
    let letters = |term: &str| -> Option<Vec<char>> {
        let is_plain = term.chars().all(|letter| letter.is_ascii_alphabetic());
        is_plain.then(|| term.chars().collect())
    };
    let (of_left, of_right) = (letters(of_left)?, letters(of_right)?);
    let output = letters(output)?;
    let mut axes = Axes::default();
    axes.add(&of_left, left.shape())?;
    axes.add(&of_right, right.shape())?;
    let shape = output.iter().map(|&letter| axes.size(letter));
    let shape = shape.collect::<Option<Vec<_>>>()?;
    let (Tensor::Float(left), Tensor::Float(right)) = (left, right) else {
        return Some(vec![Tensor::opaque(left.dtype(), &shape)]);
    };
    // The output's axes first, then those that are summed over.
    let summed = axes.letters.iter().map(|axis| axis.letter);
    let summed: Vec<char> = summed.filter(|letter| !output.contains(letter)).collect();
    let order = [output, summed].concat();
    let sizes: Vec<usize> = order
        .iter()
        .filter_map(|&letter| axes.size(letter))
        .collect();
    if count(&sizes)? > SIZE_LIMIT {
        return None;
    }
    let terms = sizes[shape.len()..].iter().product();
    let value = |array: &ArrayD<f32>, letters: &[char], at: &[usize]| {
        let at = letters.iter().map(|letter| {
            let place = order.iter().position(|other| other == letter)?;
            at.get(place).copied()
        });
        array.get(IxDyn(&at.collect::<Option<Vec<_>>>()?)).copied()
    };
    let products = ndarray::indices(IxDyn(&sizes)).into_iter().map(|at| {
        let at = ndarray::Dimension::slice(&at);
        Some(value(left, &of_left, at)? * value(right, &of_right, at)?)
    });
    let products: Vec<f32> = products.collect::<Option<_>>()?;
    let sums = match terms {
        0 => vec![0.; count(&shape)?],
        terms => products
            .chunks(terms)
            .map(|terms| terms.iter().sum())
            .collect(),
    };
    Tensor::from_shape(&shape, &sums).map(|sums| vec![sums])
}

/// An axis by its letter.
struct LetterAxis {
    letter: char,
    size: usize,
}

#[derive(Default)]
struct Axes {
    letters: Vec<LetterAxis>,
}

impl Axes {
    fn size(&self, letter: char) -> Option<usize> {
        let found = self.letters.iter().find(|axis| axis.letter == letter);
        found.map(|axis| axis.size)
    }

    /// Adds the axes of an operand. `None` if sizes contradict each other.
    fn add(&mut self, letters: &[char], shape: &[usize]) -> Option<()> {
        (letters.len() == shape.len()).then_some(())?;
        for (&letter, &size) in letters.iter().zip(shape) {
            match self.size(letter) {
                Some(known) => (known == size).then_some(())?,
                None => self.letters.push(LetterAxis { letter, size }),
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::node;

    fn einsum(equation: &str, left: &Tensor, right: &Tensor) -> Option<Tensor> {
        let node = node("Einsum", &["a", "b"], "c").with_string("equation", equation);
        let call = Call {
            node: &node,
            inputs: &[Some(left), Some(right)],
        };
        run("Einsum", &call)?.pop()
    }

    #[test]
    fn products_are_summed_over_letters_that_the_output_lacks() {
        let left = Tensor::from_shape(&[2, 3], &[1., 2., 3., 4., 5., 6.]).expect("a tensor");
        let right = Tensor::from_shape(&[3, 2], &[1., 0., 2., 1., 0., 3.]).expect("a tensor");
        let found = einsum("ik, kj -> ij", &left, &right).expect("it is known");
        assert_eq!(found.floats(), Some(vec![5., 11., 14., 23.]));
        let transposed = einsum("ik,kj->ji", &left, &right).expect("it is known");
        assert_eq!(transposed.floats(), Some(vec![5., 14., 11., 23.]));
        let outer = einsum(
            "i,j->ij",
            &Tensor::from_floats(&[1., 2.]),
            &Tensor::from_floats(&[3., 4., 5.]),
        );
        let outer = outer.expect("it is known");
        assert_eq!(outer.shape(), [2, 3]);
        assert_eq!(outer.floats(), Some(vec![3., 4., 5., 6., 8., 10.]));
    }

    #[test]
    fn values_that_depend_on_texts_have_a_shape() {
        let opaque = Tensor::opaque(crate::onnx::FLOAT, &[4, 2, 3]);
        let weights = Tensor::opaque(crate::onnx::FLOAT, &[3, 7]);
        let found = einsum("blk,kn->bln", &opaque, &weights).expect("a shape");
        assert!(found.is_opaque());
        assert_eq!(found.shape(), [4, 2, 7]);
        assert_eq!(einsum("blk,ln->bkn", &opaque, &weights), None);
        assert_eq!(einsum("...k,kn->...n", &opaque, &weights), None);
    }
}
