//! The currencies that ISO 4217 knows. A code it does not know is a typo, and money in it a guess.

/// Whether `code` is an ISO 4217 code: three capital letters, in use or withdrawn.
pub(crate) fn is_known(code: &str) -> bool {
    place(code.as_bytes()).is_some_and(|place| KNOWN[place / 64] & (1 << (place % 64)) != 0)
}

/// The code as a number below 26^3.
const fn place(code: &[u8]) -> Option<usize> {
    let [a @ b'A'..=b'Z', b @ b'A'..=b'Z', c @ b'A'..=b'Z'] = *code else {
        return None;
    };
    Some(((a - b'A') as usize * 26 + (b - b'A') as usize) * 26 + (c - b'A') as usize)
}

/// A bit for each combination of three letters.
static KNOWN: [u64; WORDS] = {
    let mut known = [0; WORDS];
    mark(&mut known, ACTIVE);
    mark(&mut known, WITHDRAWN);
    known
};

/// 26^3 bits.
const WORDS: usize = 275;

/// Sets the bit of each code of a list in which codes are parted by blanks.
const fn mark(known: &mut [u64; WORDS], codes: &str) {
    let mut rest = codes.as_bytes();
    while let [a, b, c, tail @ ..] = rest {
        let place = place(&[*a, *b, *c]).expect("a code is three capital letters");
        known[place / 64] |= 1 << (place % 64);
        rest = skip_blanks(tail);
    }
}

const fn skip_blanks(mut bytes: &[u8]) -> &[u8] {
    while let [b' ', tail @ ..] = bytes {
        bytes = tail;
    }
    bytes
}

/// List one as published on 2026-01-01: 178 codes, those of funds and metals among them.
const ACTIVE: &str = "\
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE \
    CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF \
    GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR \
    LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN \
    PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS \
    TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XAG XAU XBA XBB XBC \
    XBD XCD XCG XDR XOF XPD XPF XPT XSU XTS XUA XXX YER ZAR ZMW ZWG";

/// List three: withdrawn since 1978. Old orders keep the currency they were paid in.
const WITHDRAWN: &str = "\
    ADP AFA ALK ANG AOK AON AOR ARA ARP ARY ATS AYM AZM BAD BEC BEF BEL BGJ BGK BGL BGN BOP BRB BRC BRE BRN BRR \
    BUK BYB BYR CHC CSD CSJ CSK CUC CYP DDM DEM ECS ECV EEK ESA ESB ESP FIM FRF GEK GHC GHP GNE GNS GQE GRD GWE \
    GWP HRD HRK IEP ILP ILR ISJ ITL LAJ LSM LTL LTT LUC LUF LUL LVL LVR MGF MLF MRO MTL MTP MVQ MXP MZE MZM NIC \
    NLG PEH PEI PES PLZ PTE RHD ROK ROL RUR SDD SDP SIT SKK SLL SRG STD SUR TJR TMM TPE TRL UAK UGS UGW USS UYN \
    UYP VEB VEF VNC XEU XFO XFU XRE YDD YUD YUM YUN ZAL ZMK ZRN ZRZ ZWC ZWD ZWL ZWN ZWR";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_listed_code_is_known_and_nothing_else() {
        let listed = || ACTIVE.split_whitespace().chain(WITHDRAWN.split_whitespace());
        assert!(listed().all(is_known));
        let bits: u32 = KNOWN.iter().map(|word| word.count_ones()).sum();
        assert_eq!(bits as usize, listed().count());
        assert_eq!(ACTIVE.split_whitespace().count(), 178);
    }

    #[test]
    fn what_merely_looks_like_a_code_is_unknown() {
        for code in ["", "EU", "EURO", "eur", "Eur", "AAA", "QQQ", "E R", "EÜR", "123"] {
            assert!(!is_known(code), "{code}");
        }
    }
}
