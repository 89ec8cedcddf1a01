//! Texts to measure encoders with.

/// Queries and documents.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct Sample {
    /// Texts to search for.
    pub queries: Vec<String>,
    /// Texts to be found.
    pub documents: Vec<String>,
}

/// Most queries made from documents.
const QUERIES: usize = 32;
/// Words of a query made from a document.
const WORDS: usize = 8;

impl Sample {
    /// The sample of this crate: short and long texts on many subjects, some in
    /// other languages, with code, numbers and names.
    pub fn built_in() -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let mut documents: Vec<String> = owned(&DOCUMENTS);
        // Texts at the length limit of models.
        for part in DOCUMENTS.chunks(DOCUMENTS.len() / 3) {
            documents.push(part.join(" "));
        }
        Self {
            queries: owned(&QUERY_TEXTS),
            documents,
        }
    }

    /// A sample of these texts.
    pub fn new(queries: Vec<String>, documents: Vec<String>) -> Self {
        Self { queries, documents }
    }

    /// A sample of documents with queries made from them: the first 8 words of
    /// up to 32 documents, evenly spaced in the list.
    pub fn of_documents(documents: Vec<String>) -> Self {
        let step = documents.len().div_ceil(QUERIES).max(1);
        let queries = documents.iter().step_by(step).map(|text| {
            let words: Vec<&str> = text.split_whitespace().take(WORDS).collect();
            words.join(" ")
        });
        Self {
            queries: queries.collect(),
            documents,
        }
    }
}

const QUERY_TEXTS: [&str; 16] = [
    "how do bees find their way home",
    "cause of the seasons on earth",
    "which vitamin prevents scurvy",
    "memory safety without a garbage collector",
    "when was the first railway opened",
    "symptoms of low blood sugar",
    "best time to prune apple trees",
    "difference between TCP and UDP",
    "why is sea water salty",
    "Wer hat den Buchdruck erfunden?",
    "¿Cuál es el río más largo de América del Sur?",
    "list comprehension in python with a condition",
    "interest rate cut by the central bank",
    "error 404",
    "painting technique of Vermeer",
    "how to remove a coffee stain from wool",
];

const DOCUMENTS: [&str; 42] = [
    "Honey bees navigate by the position of the sun and by landmarks, and tell their nest mates about good places by a dance.",
    "The axis of the Earth is tilted against its orbit. Each half of the planet therefore leans towards the sun for one part of the year, which is summer there.",
    "Sailors on long voyages suffered from scurvy until it was found that citrus fruit, which is rich in vitamin C, prevents it.",
    "Rust checks at compile time who owns each value and how long references to it live, so that memory is freed without a collector and without dangling pointers.",
    "The Stockton and Darlington Railway opened in September 1825 and carried coal and passengers behind a steam locomotive.",
    "A person whose blood sugar falls too low may shake, sweat, feel hungry and confused, and has to eat something sweet at once.",
    "Apple trees are pruned in late winter, while they are dormant: dead wood goes first, then branches that cross, then shoots that crowd the centre.",
    "TCP sets up a connection, numbers its segments and sends lost ones again. UDP does none of that; a datagram arrives or it does not.",
    "Rain dissolves minerals of rocks, rivers carry them to the ocean, and there the water evaporates while the salt stays behind.",
    "Johannes Gutenberg druckte um 1450 in Mainz mit beweglichen Lettern aus Metall; seine Bibel hat 42 Zeilen je Seite.",
    "El Amazonas nace en los Andes del Perú, atraviesa Brasil y desemboca en el océano Atlántico.",
    "squares = [x * x for x in range(100) if x % 3 == 0]  # keeps multiples of three only",
    "The central bank lowered its key rate by 25 basis points to 3.75 percent and said that inflation was close to the target of 2 percent.",
    "HTTP/1.1 404 Not Found means that the server has nothing under this path; 410 Gone says that it once had.",
    "Vermeer built up his pictures in thin layers of colour, with costly ultramarine even in shadows, and may have used a camera obscura.",
    "Blot the stain with cold water and a little wool detergent, do not rub, and let the garment dry flat, away from the heater.",
    "La tour Eiffel, haute de 330 mètres, fut construite pour l'Exposition universelle de 1889 et devait être démontée vingt ans plus tard.",
    "東京は日本の首都であり、世界で最も人口の多い都市圏の一つである。",
    "Москва расположена на реке Москве и является крупнейшим городом России.",
    "القاهرة عاصمة مصر وأكبر مدنها، وتقع على ضفاف نهر النيل.",
    "SELECT name, COUNT(*) FROM orders JOIN customers USING (customer_id) GROUP BY name HAVING COUNT(*) > 5;",
    "A heap keeps its smallest element at the root. Removing it moves the last leaf there and lets it sink, which takes log n steps.",
    "Mix 500 g of flour with 325 ml of water, 10 g of salt and 3 g of dry yeast; let the dough rest overnight and bake it at 240 degrees.",
    "The defendant appealed on the ground that evidence had been admitted unlawfully; the court of appeal allowed the appeal in part.",
    "Patients who took 20 mg daily had fewer relapses than the control group (12 % against 31 %, p < 0.01) after 18 months.",
    "Plate tectonics explains why earthquakes and volcanoes line the edges of the Pacific: there one plate dives below another one.",
    "Shares of the chip maker fell 7.4 % after it warned that sales in the third quarter would miss its own forecast.",
    "In chess the Sicilian Defence begins with 1. e4 c5; Black fights for the centre from the side and accepts an asymmetrical game.",
    "The cello is tuned in fifths, C, G, D and A, an octave below the viola.",
    "Glaciers store about two thirds of the fresh water of the planet; those of the Alps have lost half of their area since 1850.",
    "To change a tyre, loosen the nuts before the jack lifts the car, and tighten them crosswise after it is down again.",
    "An octopus has three hearts, blue blood and eight arms with neurons of their own; it can open jars and recognise people.",
    "The Treaty of Westphalia ended the Thirty Years' War in 1648 and recognised the independence of the Netherlands and Switzerland.",
    "fn area(shape: &Shape) -> f64 { match shape { Shape::Circle(r) => PI * r * r, Shape::Square(a) => a * a } }",
    "Please return the signed form by 14 March; parcels above 10 kg are sent by freight, and customs duties are paid by the recipient.",
    "Photons of blue light carry more energy than those of red light; below a threshold no electron leaves the metal, however bright the lamp.",
    "Jane Austen published Pride and Prejudice in 1813, without her name: the title page said \"by the author of Sense and Sensibility\".",
    "Drought-resistant sorghum is grown in the Sahel, where rain falls in three months of the year at most.",
    "The goalkeeper parried the first penalty, but the rebound fell to the striker, who scored in the 93rd minute.",
    "Email us at support@example.org or call +44 20 7946 0018 between 9:00 and 17:30, Monday to Friday.",
    "Naïve Bayes assumes that features are independent given the class: P(c|x) ∝ P(c) ∏ P(xᵢ|c).",
    "ok",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_come_from_documents_of_the_whole_list() {
        let documents: Vec<String> = (0..100)
            .map(|at| format!("document {at} is of nine words and no more"))
            .collect();
        let sample = Sample::of_documents(documents);
        assert_eq!(sample.queries.len(), 25);
        assert_eq!(sample.queries[24], "document 96 is of nine words and no");
        assert_eq!(Sample::of_documents(Vec::new()).queries.len(), 0);
    }
}
