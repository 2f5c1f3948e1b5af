//! The words of the made-up shop: what its customers write, and what it sells.
//!
//! Plain ASCII without quotes or backslashes, so that the writer need not escape anything.

/// Public complaints.
pub(crate) const COMPLAINTS: [&str; 20] = [
    "Third broken delivery in a row. This is terrible and nobody answers.",
    "I have waited two weeks for a refund. Awful service, never again.",
    "The app crashed during checkout and charged me twice. I am furious.",
    "Support hung up on me. Rude, useless and a complete waste of an hour.",
    "My order arrived damaged and the return form does not work. Horrible.",
    "Worst customer care I have ever met. They just do not care.",
    "Paid for express, got it nine days late. Very disappointed.",
    "The jacket fell apart after one wash. Poor quality and a bad joke of a warranty.",
    "Cancelled my booking without telling me and ruined the whole weekend. Shameful.",
    "Five emails, no answer. Being ignored like this is insulting.",
    "They lost my parcel and now blame me for it. Disgusting behaviour.",
    "Hidden fees again. I feel cheated and I am leaving.",
    "The replacement is broken as well. This is a nightmare.",
    "Wrong size, wrong colour, wrong address. A sad failure from start to end.",
    "Customer service told me a lie about the delivery date. I hate being treated like this.",
    "The hotel you sold me was dirty and loud. A dreadful trip.",
    "My account was locked for no reason and nobody can help. Terrible.",
    "I regret buying here. Bad product, worse answers.",
    "Stuck in a phone queue for fifty minutes, then cut off. Pathetic.",
    "The invoice is wrong for the third month. Angry and out of patience.",
];

/// Praise and everyday remarks.
pub(crate) const PRAISES: [&str; 20] = [
    "Ordered on Monday, here on Tuesday. Great work!",
    "The person on chat solved it in two minutes. Thank you, wonderful help!",
    "Lovely packaging and a kind note inside. I am delighted.",
    "Best shoes I have owned. They still look perfect after a year.",
    "My refund came the same day. Honest and fair, I like that.",
    "Just booked the summer trip, so excited!",
    "Good prices and a friendly team. Happy to recommend them.",
    "They fixed my mistake without a fuss. Impressive and generous service.",
    "Picked up my order at the store, quick and easy.",
    "The new app is a joy to use.",
    "Has anyone tried the blue one in a large size?",
    "Package arrived this morning.",
    "Thinking about the annual plan, what do you think?",
    "Great sale today, the kids love their new books.",
    "Thank you for the birthday surprise, that made my day!",
    "Warm, light and well made. Excellent jacket.",
    "Reading the returns page before I order.",
    "The concierge remembered my name. Superb!",
    "Five years a customer and still pleased with every order.",
    "New headphones: amazing sound, comfortable too.",
];

/// What is sold. `subscription` is apart: it comes with a plan.
pub(crate) const CATEGORIES: [&str; 8] = ["clothing", "shoes", "books", "music", "electronics", "home", "toys", "trip"];

/// Where orders, visits and surveys come in.
pub(crate) const CHANNELS: [&str; 3] = ["web", "app", "store"];

/// Where posts are written.
pub(crate) const PLATFORMS: [&str; 4] = ["x", "mastodon", "bluesky", "facebook"];

/// Where customers live.
pub(crate) const REGIONS: [&str; 5] = ["north", "south", "east", "west", "islands"];

/// First halves of customers' names: plainly made up, easy to tell apart on a screen.
pub(crate) const FIRST: [&str; 24] = [
    "Amber", "Brave", "Calm", "Clever", "Coral", "Crimson", "Eager", "Frosty", "Gentle", "Golden", "Happy", "Ivory",
    "Jolly", "Keen", "Lucky", "Mellow", "Noble", "Olive", "Proud", "Quiet", "Silver", "Swift", "Velvet", "Witty",
];

/// Second halves.
pub(crate) const SECOND: [&str; 24] = [
    "Badger", "Beaver", "Bison", "Crane", "Dolphin", "Falcon", "Ferret", "Finch", "Fox", "Gecko", "Hare", "Heron",
    "Ibex", "Koala", "Lynx", "Marten", "Otter", "Owl", "Panda", "Raven", "Robin", "Seal", "Stork", "Wolf",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_needs_escaping_in_json() {
        let lists: [&[&str]; 8] =
            [&COMPLAINTS, &PRAISES, &CATEGORIES, &CHANNELS, &PLATFORMS, &REGIONS, &FIRST, &SECOND];
        for text in lists.into_iter().flatten() {
            assert_eq!(serde_json::to_string(text).unwrap(), format!("\"{text}\""));
        }
    }
}
