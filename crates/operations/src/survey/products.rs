//! Which product a database probably belongs to, by its name: a hint for people, never a condition (`db-7`).

const NAMES: &[(&str, &str)] = &[
    ("ntds.dit", "Active Directory"),
    ("adamntds.dit", "AD LDS (ADAM)"),
    ("srudb.dat", "System Resource Usage Monitor (SRUM)"),
    ("webcachev01.dat", "WinINET web cache"),
    ("webcachev24.dat", "WinINET web cache"),
    ("windows.edb", "Windows Search"),
    ("current.mdb", "User Access Logging"),
    ("systemidentity.mdb", "User Access Logging"),
    ("priv1.edb", "Exchange 2000 or 2003, mailboxes"),
    ("pub1.edb", "Exchange 2000 or 2003, public folders"),
    ("mail.que", "Exchange transport queue"),
    ("datastore.edb", "Windows Update"),
    ("qmgr.db", "Background Intelligent Transfer Service (BITS)"),
    ("secedit.sdb", "security templates"),
    ("catdb", "cryptographic catalogs"),
    ("dhcp.mdb", "DHCP server"),
    ("wins.mdb", "WINS server"),
    ("tmp.edb", "temporary database"),
    ("temp.edb", "temporary database"),
    ("catalog1.edb", "File History"),
    ("catalog2.edb", "File History"),
    ("storage.ide", "Visual Studio code cache"),
    ("wlcalendarstore.edb", "Windows Live Mail"),
    ("contacts.edb", "Windows Live Mail"),
    ("mail.msmessagestore", "Windows Mail"),
];

/// The product whose database usually has this name.
#[must_use]
pub fn product_of(file_name: &str) -> Option<&'static str> {
    NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(file_name)).map(|(_, product)| *product)
}
